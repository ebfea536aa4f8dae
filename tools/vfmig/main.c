// SPDX-License-Identifier: GPL-2.0-only
/* The command line */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfmig.h"

enum {
	KEY_DRIVER = 'd',
	KEY_FOLLOW = 'f',
	KEY_JSON = 'j',
	KEY_VERBOSE = 'v',
	KEY_DIFF = 256,
	KEY_SUITE,
	KEY_PEER,
};

#define OPTION_JSON	{ "json", KEY_JSON, NULL, 0, "Print JSON", 0 }
#define OPTION_VERBOSE	{ "verbose", KEY_VERBOSE, NULL, 0, \
			  "Tell of each step, even where no terminal is looking", 0 }

static const struct argp_option json_options[] = { OPTION_JSON, {} };
static const struct argp_option bind_options[] = {
	OPTION_JSON,
	{ "driver", KEY_DRIVER, "NAME", 0,
	  "The driver to bind to, in place of igb_vfio_pci", 0 },
	{}
};

static const struct argp_option transfer_options[] = {
	OPTION_JSON, OPTION_VERBOSE, {}
};

static const struct argp_option decode_options[] = {
	OPTION_JSON,
	{ "diff", KEY_DIFF, NULL, 0, "Say in what two files differ", 0 },
	{}
};

static const struct argp_option faults_options[] = {
	OPTION_JSON,
	{ "follow", KEY_FOLLOW, NULL, 0, "Wait for more, until ^C", 0 },
	{}
};

static const struct argp_option check_options[] = {
	OPTION_JSON, OPTION_VERBOSE,
	{ "peer", KEY_PEER, "BDF", 0, "Load streams into this VF, of the same kind", 0 },
	{ "suite", KEY_SUITE, "PROGRAM", 0,
	  "The conformance suite, in place of " SUITE, 0 },
	{}
};

static const struct command {
	const char *name;
	const char *args;
	const char *doc;
	const struct argp_option *options;
	unsigned int min_args;
	unsigned int max_args;
	int (*run)(const struct options *opt);
} commands[] = {
	{ "list", "", "Show PFs, VFs, their drivers, what can be migrated, and who uses it.",
	  json_options, 0, 0, cmd_list },
	{ "bind", "BDF", "Give a VF to the driver that can migrate it.",
	  bind_options, 1, 1, cmd_bind },
	{ "unbind", "BDF", "Give a VF back to the driver that it would have without vfmig.",
	  json_options, 1, 1, cmd_unbind },
	{ "info", "BDF", "Show what a device can do, its state, and what happened to it.",
	  json_options, 1, 1, cmd_info },
	{ "save", "BDF >FILE", "Save the state of a device that nobody uses.",
	  transfer_options, 1, 1, cmd_save },
	{ "load", "BDF <FILE", "Try whether a device takes a saved state.",
	  transfer_options, 1, 1, cmd_load },
	{ "move", "BDF BDF", "Move the state of the first device to the second.",
	  transfer_options, 2, 2, cmd_move },
	{ "decode", "FILE\n--diff FILE FILE", "Show a saved state in words.",
	  decode_options, 1, 2, cmd_decode },
	{ "faults", "BDF", "Show the DMA of a device that the IOMMU refused.",
	  faults_options, 1, 1, cmd_faults },
	{ "check", "BDF", "Hold a device to the migration uAPI, and give a verdict.",
	  check_options, 1, 1, cmd_check },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

const char *argp_program_version = "vfmig 1.0";

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	struct options *opt = state->input;

	switch (key) {
	case KEY_JSON:
		opt->json = true;
		return 0;
	case KEY_VERBOSE:
		opt->verbose = true;
		return 0;
	case KEY_DIFF:
		opt->diff = true;
		return 0;
	case KEY_FOLLOW:
		opt->follow = true;
		return 0;
	case KEY_DRIVER:
		opt->driver = arg;
		return 0;
	case KEY_SUITE:
		opt->suite = arg;
		return 0;
	case KEY_PEER:
		opt->peer = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (opt->nr_args == 2)
			argp_error(state, "\"%s\" is one argument too many", arg);
		opt->arg[opt->nr_args++] = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int run_command(const struct command *command, int argc, char **argv,
		       struct options *opt)
{
	struct argp argp = {
		.options = command->options,
		.parser = take_option,
		.args_doc = command->args,
		.doc = command->doc,
	};
	char name[32];

	snprintf(name, sizeof(name), "vfmig %s", command->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, opt);
	if (opt->nr_args < command->min_args || opt->nr_args > command->max_args) {
		vfmig_err("%s takes %s%u argument%s: see \"%s --help\"", command->name,
			  command->min_args < command->max_args ? "up to " : "",
			  command->max_args, command->max_args == 1 ? "" : "s", name);
		return USAGE;
	}
	return command->run(opt);
}

static void list_commands(FILE *file)
{
	size_t i;

	fputs("Usage: vfmig [--json] COMMAND [OPTION...] [ARGUMENT...]\n"
	      "Looks after migratable VFIO devices.\n\n", file);
	for (i = 0; i < NR_COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].doc);
	fputs("\n\"vfmig COMMAND --help\" has more, and vfmig(8) all, exit statuses among it.\n",
	      file);
}

/* What stands before the command */
static int take_global(int argc, char **argv, struct options *opt, int *status)
{
	int i;

	*status = -1;
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "-j")) {
			opt->json = true;
		} else if (!strcmp(argv[i], "--help")) {
			list_commands(stdout);
			*status = DONE;
		} else if (!strcmp(argv[i], "--version")) {
			puts(argp_program_version);
			*status = DONE;
		} else {
			vfmig_err("no option %s: see \"vfmig --help\"", argv[i]);
			*status = USAGE;
		}
	}
	return i;
}

/* Files that are opened must not become what is taken for stdout. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options opt = {};
	int i, status;
	size_t n;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	argp_err_exit_status = USAGE;
	i = take_global(argc, argv, &opt, &status);
	if (status < 0 && i == argc) {
		list_commands(stderr);
		status = USAGE;
	}
	for (n = 0; status < 0 && n < NR_COMMANDS; n++)
		if (!strcmp(argv[i], commands[n].name))
			status = run_command(&commands[n], argc - i, argv + i, &opt);
	if (status < 0) {
		vfmig_err("no command \"%s\": see \"vfmig --help\"", argv[i]);
		status = USAGE;
	}
	close_output();
	return status;
}
