/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM igb_vfio_pci

#if !defined(_IGB_VFIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _IGB_VFIO_TRACE_H

#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(igb_vf_mmio,
		    TP_PROTO(struct device *dev, u32 offset, u32 value),
		    TP_ARGS(dev, offset, value),
		    TP_STRUCT__entry(__string(name, dev_name(dev))
				     __field(u32, offset)
				     __field(u32, value)),
		    TP_fast_assign(__assign_str(name);
				   __entry->offset = offset;
				   __entry->value = value;),
		    TP_printk("%s offset=0x%04x value=0x%08x", __get_str(name),
			      __entry->offset, __entry->value)
);

/* The driver reads a register, for itself or for the user. */
DEFINE_EVENT(igb_vf_mmio, igb_vf_mmio_read,
	     TP_PROTO(struct device *dev, u32 offset, u32 value),
	     TP_ARGS(dev, offset, value)
);

/* The driver writes a register, for itself or for the user. */
DEFINE_EVENT(igb_vf_mmio, igb_vf_mmio_write,
	     TP_PROTO(struct device *dev, u32 offset, u32 value),
	     TP_ARGS(dev, offset, value)
);

#endif /* _IGB_VFIO_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
