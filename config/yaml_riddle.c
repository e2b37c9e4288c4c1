/* SPDX-License-Identifier: MIT */
#include "yaml_riddle.h"

#include <string.h>

struct answer {
	const char *context; // part of libyaml's context; NULL: any
	const char *problem; // part of libyaml's problem; NULL: any
	char c;              // the character in question; NUL: any
	bool is_at_context;  // the place to look at is where the thing began
	const char *sentence;
};

/* The first that fits is given. */
static const struct answer answers[] = {
	{NULL, "cannot start any token", '\t', false, "a tab cannot indent here; use spaces"},
	{NULL, "cannot start any token", '@', false,
		"a value cannot begin with '@'; put it in quotes"},
	{NULL, "cannot start any token", '`', false,
		"a value cannot begin with '`'; put it in quotes"},
	{NULL, "cannot start any token", '%', false,
		"a value cannot begin with '%'; put it in quotes"},
	{NULL, "tab character", 0, false, "a tab cannot indent here; use spaces"},
	{"scanning an alias", NULL, 0, true,
		"'*' begins an alias; put a pattern in quotes, like \"game/*\""},
	{"scanning an anchor", NULL, 0, true, "'&' begins an anchor; put the value in quotes"},
	{NULL, "incompatible YAML document", 0, false,
		"YAML 1.1 is read here; leave the '%YAML' line out"},
	{NULL, "duplicate %", 0, false, "a directive stands here twice; leave it out"},
	{"block scalar", NULL, 0, true,
		"'|' or '>' begins a text of several lines; put the value in quotes"},
	{NULL, "expected node content", '}', false,
		"a value cannot begin with '}'; put it in quotes"},
	{NULL, "expected node content", ']', false,
		"a value cannot begin with ']'; put it in quotes"},
	{NULL, "expected node content", ',', false,
		"a value cannot begin with ','; put it in quotes"},
	{NULL, "expected node content", 0, false, "a value is expected here"},
	{NULL, "undefined tag handle", 0, false, "'!' begins a tag; put the value in quotes"},
	{"directive", NULL, 0, true, "'%' begins a directive; put the value in quotes"},
	{"scanning a tag", NULL, 0, true, "'!' begins a tag; put the value in quotes"},
	{"parsing a tag", NULL, 0, true, "'!' begins a tag; put the value in quotes"},
	{NULL, "mapping values are not allowed", 0, false,
		"a ':' is not expected here; check the indentation and the blank after each ':', "
		"and quote a value with ': ' in it"},
	{"simple key", "could not find expected ':'", 0, true, "a ':' is missing after this key"},
	{"quoted scalar", "end of stream", 0, true, "the quote that begins here is not closed"},
	{"quoted scalar", "document indicator", 0, true,
		"the quote that begins here is not closed"},
	{"quoted scalar", NULL, 0, false, "not a known escape; write '\\\\' for a backslash"},
	{"flow sequence", NULL, 0, true, "the list that begins here lacks a ',' or its ']'"},
	{"flow mapping", NULL, 0, true, "the map that begins here lacks a ',' or its '}'"},
	{"block mapping", "expected key", 0, false,
		"a key is expected here; check the indentation, and quote values"},
	{"block collection", NULL, 0, false,
		"a '-' is expected here; check the indentation of the list"},
	{NULL, "block sequence entries are not allowed", 0, false,
		"a list item is not expected here; begin the list on a line of its own"},
	{NULL, "expected <document start>", 0, false,
		"text is not expected here; the file is one map of 'key: value' lines"},
};

static bool fits(const char *text, const char *part) {
	return !part || (text && strstr(text, part));
}

void yaml_riddle_add(struct config_errors *errors, const struct yaml_riddle *riddle) {
	for (size_t i = 0; i < n_elements(answers); i++) {
		const struct answer *a = &answers[i];

		if (!fits(riddle->context, a->context) || !fits(riddle->problem, a->problem) ||
			(a->c && a->c != riddle->c)) {
			continue;
		}
		config_errors_add(errors, a->is_at_context ? riddle->context_line : riddle->line,
			a->is_at_context ? riddle->context_col : riddle->col, "%s", a->sentence);
		return;
	}
	config_errors_add(errors, riddle->line, riddle->col, "not valid YAML: %s%s%s",
		riddle->context ? riddle->context : "", riddle->context ? ", " : "",
		riddle->problem ? riddle->problem : "unknown problem");
}
