/* SPDX-License-Identifier: MIT */
/*
 * zoe doctor: looks at everything that frames need to flow, from the kernel to the broker's word on
 * what this user may do.
 */
#include "doctor.h"

#include <string.h>

static const char *const verdict_words[] = {"ok", "warning", "error", "unknown"};

static void tell_json(const struct doctor *doctor, const struct finding *finding) {
	printf("%s{\"subject\": ", doctor->n_findings == 0 ? "" : ", ");
	tool_print_json_string(stdout, finding->subject);
	printf(", \"verdict\": \"%s\", \"text\": ", verdict_words[finding->verdict]);
	tool_print_json_string(stdout, finding->text);
	fputs(", \"remedy\": ", stdout);
	tool_print_json_string(stdout, finding->remedy);
	fputs("}", stdout);
}

static void tell_text(const struct finding *finding) {
	static const char *const colours[] = {"32", "33", "31", "36"};
	const char *word = verdict_words[finding->verdict];
	char safe[2][640];

	if (isatty(STDOUT_FILENO)) {
		printf("\033[%sm%-7s\033[0m", colours[finding->verdict], word);
	} else {
		printf("%-7s", word);
	}
	printf("  %-10s  %s\n", finding->subject,
		tool_printable(finding->text, safe[0], sizeof(safe[0])));
	if (finding->remedy[0]) {
		printf("%-7s  %-10s  -> %s\n", "", "",
			tool_printable(finding->remedy, safe[1], sizeof(safe[1])));
	}
}

void doctor_tell(struct doctor *doctor, const struct finding *finding) {
	if (doctor->tool->is_json) {
		tell_json(doctor, finding);
	} else {
		tell_text(finding);
	}
	doctor->n_findings++;
	doctor->n_warnings += finding->verdict == DOCTOR_WARNING;
	doctor->n_errors += finding->verdict == DOCTOR_ERROR;
}

int doctor_run(struct tool *tool, int argc, char **argv) {
	static void (*const checks[])(struct doctor * doctor) = {doctor_check_kernel,
		doctor_check_futex, doctor_check_files, doctor_check_maps, doctor_check_memory,
		doctor_check_socket, doctor_check_broker};
	const struct tool_option options[] = {{NULL, 0, false, NULL}};
	struct doctor doctor = {.tool = tool};
	int n_args, rc = tool_parse(tool, argc, argv, options, &n_args);

	if (rc >= 0) {
		return rc;
	}
	if (n_args > 0) {
		return tool_fail_usage(tool, "takes no argument, but got '%s'", argv[1]);
	}
	fputs(tool->is_json ? "{\"findings\": [" : "", stdout);
	for (size_t i = 0; i < n_elements(checks); i++) {
		checks[i](&doctor);
	}
	if (tool->is_json) {
		printf("], \"errors\": %u, \"warnings\": %u}\n", doctor.n_errors,
			doctor.n_warnings);
	} else {
		printf("%u findings: %u errors, %u warnings\n", doctor.n_findings, doctor.n_errors,
			doctor.n_warnings);
	}
	rc = tool_flush();
	return rc != 0 ? rc : doctor.n_errors > 0 ? TOOL_FAILED : TOOL_DONE;
}
