/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's tracepoints come to nothing. */
#define TP_PROTO(...)	__VA_ARGS__
#define DECLARE_EVENT_CLASS(...)
#define DEFINE_EVENT(event_class, name, proto, args)			\
static inline void trace_##name(struct device *dev, u32 offset, u32 value) \
{									\
	(void)dev;							\
	(void)offset;							\
	(void)value;							\
}
