/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "sandbox.h"
#include "server.h"

#define EXIT_USAGE 2

struct options {
	const char *config, *socket;
	bool is_check, is_print;
};

static void print_help(void) {
	printf("Usage: zoetroped [--config FILE] [--socket PATH] [--check] [--print-config]\n"
	       "The broker of Zoetrope: lends image frames in shared memory to producers and "
	       "consumers.\n\n"
	       "  -c, --config FILE  read FILE (default: /etc/zoetrope/zoetrope.yaml for root, "
	       "else\n"
	       "                     $XDG_CONFIG_HOME/zoetrope/zoetrope.yaml, else what is built "
	       "in)\n"
	       "  -s, --socket PATH  listen on PATH (default: the config's, $ZOETROPE_SOCKET,\n"
	       "                     $XDG_RUNTIME_DIR/zoetrope/socket, /run/zoetrope/socket)\n"
	       "      --check        say what is wrong with the config, and end\n"
	       "      --print-config print the config with every default filled in, and end\n"
	       "      --version      print the version, and end\n"
	       "  -h, --help         print this, and end\n");
}

/* Returns: 0 go on; else the exit status + 1. */
static int options_parse(struct options *options, int argc, char **argv) {
	enum { OPTION_CHECK = 256, OPTION_PRINT, OPTION_VERSION };
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"print-config", no_argument, NULL, OPTION_PRINT},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:s:h", table, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->socket = optarg;
			break;
		case OPTION_CHECK:
			options->is_check = true;
			break;
		case OPTION_PRINT:
			options->is_print = true;
			break;
		case OPTION_VERSION:
			puts("zoetroped " ZOETROPE_VERSION);
			return EXIT_SUCCESS + 1;
		case 'h':
			print_help();
			return EXIT_SUCCESS + 1;
		default:
			fprintf(stderr, "zoetroped: see 'zoetroped --help'\n");
			return EXIT_USAGE + 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "zoetroped: unexpected argument '%s'; see 'zoetroped --help'\n",
			argv[optind]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

/* The file that is read where none is named. Returns: false if there is none. */
static bool find_config(char *path, size_t size) {
	const char *config_home = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (geteuid() == 0) {
		snprintf(path, size, "/etc/zoetrope/zoetrope.yaml");
	} else if (config_home && config_home[0]) {
		snprintf(path, size, "%s/zoetrope/zoetrope.yaml", config_home);
	} else if (home && home[0]) {
		snprintf(path, size, "%s/.config/zoetrope/zoetrope.yaml", home);
	} else {
		return false;
	}
	/* One that is there and cannot be read is an error, not a reason to go without. */
	return access(path, F_OK) == 0 || errno != ENOENT;
}

/* Returns: the config, or NULL and what is wrong with it is printed. */
static struct config *load_config(const char *path) {
	struct config *config = NULL;
	struct config_errors errors;
	int r;

	config_errors_init(&errors);
	r = path ? config_load(&config, path, &errors) : config_load_default(&config);
	if (path && r == 0) {
		config_find_warnings(config, &errors);
		config_errors_print(&errors, stderr, isatty(STDERR_FILENO));
	}
	if (r < 0) {
		config_errors_print(&errors, stderr, isatty(STDERR_FILENO));
		if (errors.n_errors == 0) {
			log_err("cannot load the config: %s", strerror(-r));
		}
		config = NULL;
	}
	config_errors_finish(&errors);
	return config;
}

/* Returns: the exit status. */
static int print_config(const struct config *config, const char *path) {
	config_print(config, stdout, path);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_err("cannot print the config: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* Returns: 0, also where there is no filter; -errno. */
static int filter_calls(void) {
	int r = sandbox_filter();

	if (r == -EOPNOTSUPP) {
		log_info("runs without a filter of system calls: it was built without");
	} else if (r == -EINVAL) {
		log_warn("runs without a filter of system calls: the kernel has none");
	} else if (r < 0) {
		log_err("cannot filter system calls: %s", strerror(-r));
		return r;
	}
	return 0;
}

static int serve(const struct server_options *options) {
	struct server *server = NULL;
	int r = sandbox_enter();

	if (r < 0) {
		log_err("cannot enter the sandbox: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = server_create(&server, options);
	if (r == 0) {
		r = filter_calls();
	}
	if (r == 0) {
		server_run(server);
	}
	server_destroy(server);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
	struct options options = {0};
	struct config *config = NULL;
	const char *path;
	char found[512];
	int status = options_parse(&options, argc, argv);

	if (status > 0) {
		return status - 1;
	}
	log_set_name("zoetroped");
	if (!options.config && find_config(found, sizeof(found))) {
		options.config = found;
	}
	config = load_config(options.config);
	if (!config) {
		return EXIT_FAILURE;
	}
	path = options.config ? options.config : "(built in)";
	log_set_level((enum log_level)config->broker.log_level);
	if (options.is_check) {
		printf("%s: ok, %zu streams\n", path, config->n_streams);
		status = EXIT_SUCCESS;
	} else if (options.is_print) {
		status = print_config(config, path);
	} else {
		status = serve(&(struct server_options){
			.config = config, .config_path = options.config, .socket = options.socket});
	}
	config_destroy(config);
	return status;
}
