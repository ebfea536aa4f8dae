// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of the session: opened, bound, duplicated, handed to others and closed.
 * Each gets a number that no file had before, so that what is done to one that
 * another thread has closed is done to nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hammer.h"

#define FIRST_FD	1000

static int new_number(struct session *s, int fd)
{
	int nr = FIRST_FD + __atomic_fetch_add(&s->next_fd, 1, __ATOMIC_RELAXED);
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, nr);

	close(fd);
	return ret;
}

/* In one of the @nr places at @where; what was there is closed */
int keep_fd(struct hand *h, int *where, unsigned int nr, int fd)
{
	int old;

	fd = new_number(h->session, fd);
	old = __atomic_exchange_n(&where[roll(&h->dice, nr)], fd,
				  __ATOMIC_SEQ_CST);
	if (old >= 0)
		close(old);
	return fd;
}

/* One that is open, if there is one */
static int pick(struct hand *h, int *where, unsigned int nr)
{
	unsigned int i, at = roll(&h->dice, nr);
	int fd = -1;

	for (i = 0; i < nr && fd < 0; i++)
		fd = __atomic_load_n(&where[(at + i) % nr], __ATOMIC_RELAXED);
	return fd;
}

int any_dev(struct hand *h)
{
	return pick(h, h->session->devs, HAMMER_DEVS);
}

int any_data_fd(struct hand *h)
{
	return pick(h, h->session->fds, HAMMER_FDS);
}

/* Where an fd is asked for */
int any_file(struct hand *h)
{
	struct session *s = h->session;

	switch (roll(&h->dice, 16)) {
	case 0:
		return any_dev(h);
	case 1:
		return any_data_fd(h);
	case 2:
		return s->dev.group;
	case 3:
		return s->iommu.fd;
	case 4:
		return -1;
	case 5:
		return any_u32(h);
	default:
		return pick(h, s->events, HAMMER_EVENTS);
	}
}

/* What the library opens is the first file; a group gives as many as are asked for */
void do_dev_open(struct hand *h)
{
	struct session *s = h->session;
	struct vfio_dev dev = s->dev;
	int ret;

	books_begin(HAMMER_DEV_OPEN);
	if (s->iommu.cdev) {
		ret = vfio_iommu_join(&s->iommu, &dev);
	} else {
		dev.fd = ioctl(s->dev.group, VFIO_GROUP_GET_DEVICE_FD,
			       s->dev.bdf);
		ret = dev.fd < 0 ? -errno : 0;
	}
	hammer_end(HAMMER_DEV_OPEN, ret);
	if (dev.fd < 0)
		return;
	/* One that could not be bound is good for little */
	if (!ret || !roll(&h->dice, 4))
		keep_fd(h, s->devs, HAMMER_DEVS, dev.fd);
	else
		close(dev.fd);
}

void do_dev_bind(struct hand *h)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = any_argsz(h, sizeof(bind)),
		.flags = roll(&h->dice, 4) ? 0 : any_u32(h),
		.iommufd = roll(&h->dice, 2) ? h->session->iommu.fd :
					       any_file(h),
	};

	hammer_ioctl(h, HAMMER_DEV_BIND, any_dev(h), VFIO_DEVICE_BIND_IOMMUFD,
		     &bind, sizeof(bind));
}

void do_dev_attach(struct hand *h)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = any_argsz(h, sizeof(attach)),
		.pt_id = roll(&h->dice, 2) ? h->session->iommu.ioas : any_u32(h),
	};
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = any_argsz(h, sizeof(detach)),
	};

	if (roll(&h->dice, 4))
		hammer_ioctl(h, HAMMER_DEV_ATTACH, any_dev(h),
			     VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach,
			     sizeof(attach));
	else
		hammer_ioctl(h, HAMMER_DEV_ATTACH, any_dev(h),
			     VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach,
			     sizeof(detach));
}

void do_dev_dup(struct hand *h)
{
	int fd;

	books_begin(HAMMER_DEV_DUP);
	fd = dup(any_dev(h));
	hammer_end(HAMMER_DEV_DUP, fd < 0 ? -errno : 0);
	if (fd >= 0)
		keep_fd(h, h->session->devs, HAMMER_DEVS, fd);
}

static bool all_closed(struct session *s)
{
	unsigned int i;

	for (i = 0; i < HAMMER_DEVS; i++)
		if (__atomic_load_n(&s->devs[i], __ATOMIC_RELAXED) >= 0)
			return false;
	return true;
}

/* The last one closes the device, whatever the other threads are doing with it */
void do_dev_close(struct hand *h)
{
	int *where = &h->session->devs[roll(&h->dice, HAMMER_DEVS)];
	int fd = __atomic_exchange_n(where, -1, __ATOMIC_SEQ_CST);

	if (fd >= 0) {
		books_begin(HAMMER_DEV_CLOSE);
		hammer_end(HAMMER_DEV_CLOSE, close(fd) ? -errno : 0);
	}
	if (all_closed(h->session))
		do_dev_open(h);
}

static int send_fd(int sock, int fd)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} ctl = {
		.hdr = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};

	memcpy(CMSG_DATA(&ctl.hdr), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) < 0 ? -errno : 0;
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} ctl;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) < 0 || !msg.msg_controllen)
		return -1;
	memcpy(&fd, CMSG_DATA(&ctl.hdr), sizeof(fd));
	return fd;
}

/* Another process uses it, and has it for a while after its giver may have closed it */
static void be_given(int sock)
{
	struct vfio_dev dev = {};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dev.fd = receive_fd(sock);
	vfio_mig_get_state(&dev);
	vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	_exit(0);
}

/* Now and then nobody takes it, and it goes with the socket */
void do_dev_pass(struct hand *h)
{
	int fd = roll(&h->dice, 2) ? any_dev(h) : any_data_fd(h);
	bool taken = roll(&h->dice, 4);
	int sock[2], ret;
	pid_t pid = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return;
	books_begin(HAMMER_DEV_PASS);
	ret = send_fd(sock[0], fd);
	hammer_end(HAMMER_DEV_PASS, ret);
	if (!ret && taken)
		pid = fork();
	if (!ret && taken && !pid)
		be_given(sock[1]);
	close(sock[0]);
	close(sock[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}
