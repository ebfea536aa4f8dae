// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_FEATURE, and what a device claims through it */
#include "conformance.h"

#define GET		VFIO_DEVICE_FEATURE_GET
#define SET		VFIO_DEVICE_FEATURE_SET
#define PROBE		VFIO_DEVICE_FEATURE_PROBE
#define HEAD		sizeof(struct vfio_device_feature)
#define KNOWN_FLAGS	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | \
			 VFIO_MIGRATION_PRE_COPY)

static const struct {
	const char *name;
	__u32 feature;
	__u32 methods;
	size_t size;
	unsigned int needs;
} features[] = {
	{ "MIGRATION", VFIO_DEVICE_FEATURE_MIGRATION, GET,
	  sizeof(struct vfio_device_feature_migration), 0 },
	{ "MIG_DEVICE_STATE", VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, GET | SET,
	  sizeof(struct vfio_device_feature_mig_state), 0 },
	{ "MIG_DATA_SIZE", VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, GET,
	  sizeof(struct vfio_device_feature_mig_data_size), NEEDS_DATA_SIZE },
	{ "DMA_LOGGING_START", VFIO_DEVICE_FEATURE_DMA_LOGGING_START, SET,
	  sizeof(struct vfio_device_feature_dma_logging_control),
	  NEEDS_DMA_LOG },
	{ "DMA_LOGGING_STOP", VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, SET, 0,
	  NEEDS_DMA_LOG },
	{ "DMA_LOGGING_REPORT", VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, GET,
	  sizeof(struct vfio_device_feature_dma_logging_report),
	  NEEDS_DMA_LOG },
	{ "MIG_PRECOPY_INFOv2", PRECOPY_INFO_V2, SET, 0,
	  NEEDS_INFO_V2 },
};

CONF_TEST(claims, 0, R_FLAGS, R_FLAG_STATES)
{
	__u32 state;
	int ret, fd;

	remark("claimed are STOP_COPY%s%s",
	       c->flags & VFIO_MIGRATION_P2P ? ", P2P" : "",
	       c->flags & VFIO_MIGRATION_PRE_COPY ? ", PRE_COPY" : "");
	if (c->flags & ~(__u64)KNOWN_FLAGS)
		remark("the flags %#llx are not known to this suite",
		       (unsigned long long)(c->flags & ~(__u64)KNOWN_FLAGS));
	holds(c, R_FLAGS, c->flags & VFIO_MIGRATION_STOP_COPY,
	      "the flags are %#llx", (unsigned long long)c->flags);

	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state))
			continue;
		need(c, !fresh(&c->dev), "the device does not get back to RUNNING");
		ret = vfio_mig_set_state(&c->dev, state, &fd);
		holds(c, R_FLAG_STATES, !ret, "RUNNING -> %s: %s",
		      vfio_mig_state_name(state), strerror(-ret));
		if (fd >= 0)
			close(fd);
	}
}

static void probe_one(struct conf *c, unsigned int i)
{
	static const __u32 all[] = { 0, GET, SET, GET | SET };
	unsigned int j;
	__u8 none;
	int ret;

	for (j = 0; j < ARRAY_LEN(all); j++) {
		ret = call_feature(&c->dev, HEAD,
				   features[i].feature | PROBE | all[j], &none, 0);
		holds(c, R_PROBE, !ret == !(all[j] & ~features[i].methods),
		      "probing %s%s%s: %s", features[i].name,
		      all[j] & GET ? " GET" : "", all[j] & SET ? " SET" : "",
		      ret ? strerror(-ret) : "success");
	}
}

static void try_other_methods(struct conf *c, unsigned int i)
{
	__u8 data[64] = {};
	int ret;

	ret = call_feature(&c->dev, HEAD + features[i].size,
			   features[i].feature | GET | SET, data, sizeof(data));
	holds(c, R_EXCLUSIVE, ret, "GET and SET of %s at once", features[i].name);
	ret = call_feature(&c->dev, HEAD + features[i].size,
			   features[i].feature, data, sizeof(data));
	holds(c, R_EXCLUSIVE, ret, "neither GET nor SET of %s", features[i].name);

	if (features[i].methods == (GET | SET))
		return;
	ret = call_feature(&c->dev, HEAD + features[i].size,
			   features[i].feature |
			   (features[i].methods ^ (GET | SET)),
			   data, sizeof(data));
	holds(c, R_METHODS, ret, "%s of %s succeeds",
	      features[i].methods & GET ? "SET" : "GET", features[i].name);
}

CONF_TEST(probe, 0, R_PROBE, R_METHODS, R_EXCLUSIVE)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(features); i++) {
		if ((c->has & features[i].needs) != features[i].needs)
			continue;
		probe_one(c, i);
		try_other_methods(c, i);
	}
}

CONF_TEST(malformed_calls, 0, R_ARGSZ, R_FLAG_BITS)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = VFIO_DEVICE_STATE_STOP,
	};
	const __u32 set = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | SET;
	const __u32 argsz[] = {
		0, 4, HEAD - 1, HEAD, HEAD + 4, HEAD + sizeof(mig) - 1,
	};
	unsigned int i;
	int state;

	need(c, !fresh(&c->dev), "the device does not get back to RUNNING");
	for (i = 0; i < ARRAY_LEN(argsz); i++)
		holds(c, R_ARGSZ, call_feature(&c->dev, argsz[i], set, &mig,
					       sizeof(mig)),
		      "SET of the state with an argsz of %u", argsz[i]);
	for (i = 19; i < 32; i++)
		holds(c, R_FLAG_BITS, call_feature(&c->dev, HEAD + sizeof(mig),
						   set | 1U << i, &mig,
						   sizeof(mig)),
		      "SET of the state with bit %u of flags set", i);

	state = vfio_mig_get_state(&c->dev);
	holds(c, R_ARGSZ, state == VFIO_DEVICE_STATE_RUNNING,
	      "calls that had to fail led to %s", vfio_mig_state_name(state));
}

CONF_TEST(get_state, 0, R_GET_FD, R_SET_COMPLETE)
{
	struct vfio_device_feature_mig_state mig;
	__u32 state;
	int fd, ret;

	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state))
			continue;
		fd = enter(c, &c->dev, state, NULL);
		memset(&mig, 0x55, sizeof(mig));
		ret = vfio_feature(&c->dev, GET,
				   VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig,
				   sizeof(mig));
		need(c, !ret, "the state cannot be asked for: %s",
		     strerror(-ret));
		holds(c, R_SET_COMPLETE, mig.device_state == state,
		      "%s was set, it is %s", vfio_mig_state_name(state),
		      vfio_mig_state_name(mig.device_state));
		holds(c, R_GET_FD, mig.data_fd == -1, "data_fd is %d in %s",
		      mig.data_fd, vfio_mig_state_name(state));
		if (fd >= 0)
			close(fd);
	}
}

CONF_TEST(data_size, NEEDS_DATA_SIZE, R_DATA_SIZE, R_DATA_ESTIMATE)
{
	struct blob blob = {};
	__u32 state;
	__u64 size;
	int ret;

	save(c, &c->dev, &blob, WHOLE);
	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state))
			continue;
		enter(c, &c->dev, state, NULL);
		ret = vfio_mig_data_size(&c->dev, &size);
		holds(c, R_DATA_SIZE, !ret, "in %s: %s",
		      vfio_mig_state_name(state), strerror(-ret));
		holds(c, R_DATA_ESTIMATE, ret || size || !blob.len,
		      "in %s it is 0, and STOP_COPY gave %zu bytes",
		      vfio_mig_state_name(state), blob.len);
	}
}
