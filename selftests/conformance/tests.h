/* SPDX-License-Identifier: GPL-2.0-only */
/* All tests, in the order in which they run */
#ifndef SELFTESTS_CONFORMANCE_TESTS_H
#define SELFTESTS_CONFORMANCE_TESTS_H

#include "conformance.h"

#define CONF_TESTS(T)							\
	T(claims)							\
	T(probe)							\
	T(malformed_calls)						\
	T(get_state)							\
	T(data_size)							\
	T(every_pair)							\
	T(refused_targets)						\
	T(same_state)							\
	T(state_stays)							\
	T(stopped_pci)							\
	T(saving_session_ends)						\
	T(resuming_session_ends)					\
	T(saving_states_share)						\
	T(stop_copy_end)						\
	T(data_fd_is_a_stream)						\
	T(data_fd_outlives_device)					\
	T(segments)							\
	T(round_trip)							\
	T(truncated)							\
	T(corrupted)							\
	T(reset_offered)						\
	T(reset_anywhere)						\
	T(reset_from_error)						\
	T(reset_race)							\
	T(reopen_while_resuming)					\
	T(precopy_info)							\
	T(precopy_info_elsewhere)					\
	T(precopy_end)							\
	T(precopy_stream)						\
	T(precopy_info_v2)						\
	T(dma_log_session)						\
	T(dma_log_arguments)						\
	T(dma_log_report)						\
	T(dma_log_in_any_state)

#define CONF_DECLARE(name)	extern const struct conf_test conf_##name;

CONF_TESTS(CONF_DECLARE)

#endif
