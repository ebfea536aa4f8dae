/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state lock, resets, the FSM and the close path of vfio_pci_mig, for spin.
 *
 * Names are those of the code: an inline here is the function of that name in
 * drivers/mig, without its prefix. Documentation/reset.rst says what is checked,
 * and what is left out.
 *
 * How many of each process there are comes from -D, as does one of the breaks.
 * A break changes the model where the code might have been written wrongly; each
 * has to be found. run.sh has the list.
 */
#ifndef SETS
#define SETS	1	/* SET_STATE ioctls of the VMM's migration thread */
#endif
#ifndef GETS
#define GETS	1	/* GET_STATE ioctls of another thread */
#endif
#ifndef IOS
#define IOS	1	/* reads or writes of a data_fd */
#endif
#ifndef USES
#define USES	1	/* accesses of the guest to the registers */
#endif
#ifndef RESETS
#define RESETS	1	/* resets that VFIO does, at the user's wish */
#endif
#ifndef OTHERS
#define OTHERS	0	/* resets that are not VFIO's: by sysfs */
#endif
#ifndef FAILS
#define FAILS	0	/* arcs that fail */
#endif
#ifndef MMAPS
#define MMAPS	0	/* who takes mmap_lock for write */
#endif
#ifndef CLOSES
#define CLOSES	0	/* whether the device is closed, and opened again */
#endif

/* enum vfio_device_mig_state */
#define ERROR		0
#define STOP		1
#define RUNNING		2
#define STOP_COPY	3
#define RESUMING	4
#define RUNNING_P2P	5
#define PRE_COPY	6
#define PRE_COPY_P2P	7

/* What a work returns */
#define OK		0
#define EBUSY		1
#define EIO		2
#define EINVAL		3
#define ENODEV		4
#define ARC_RESTARTED	5

/* What the hardware does */
#define HW_RUNS		0
#define HW_QUIET	1	/* no DMA */
#define HW_STOPPED	2	/* and no interrupts */

#define may_access(s)	(s != ERROR && s != STOP && s != STOP_COPY && s != RESUMING)
#define hw_of(s)	(may_access(s) -> \
			 ((s == RUNNING || s == PRE_COPY) -> HW_RUNS : HW_QUIET) : \
			 HW_STOPPED)
#define has_saving(s)	(s == PRE_COPY || s == PRE_COPY_P2P || s == STOP_COPY)

/*
 * Locks. A reader does not overtake a writer that waits, as with the kernel's
 * rwsem: most deadlocks with one need that.
 */
typedef rwsem {
	byte readers;
	byte waiters;
	bool writer
}

inline mutex_lock(m)	{ atomic { !m -> m = true } }
inline mutex_unlock(m)	{ atomic { assert(m); m = false } }
#define spin_lock(l)	mutex_lock(l)
#define spin_unlock(l)	mutex_unlock(l)
inline down_read(s)	{ atomic { !s.writer && !s.waiters -> s.readers++ } }
inline up_read(s)	{ atomic { assert(s.readers); s.readers-- } }
inline down_write(s)
{
	s.waiters++;
	atomic { !s.writer && !s.readers -> s.waiters--; s.writer = true }
}
inline up_write(s)	{ atomic { assert(s.writer); s.writer = false } }

bool mutex;			/* lock.mutex: the state lock */
bool flag_lock;			/* lock.flag_lock */
bool reset_pending;		/* lock.reset_pending */
bool trap_lock;
bool device_lock;		/* of the PCI device: each reset holds it */
bool io_lock;			/* of the data_fd in use */
rwsem gate_lock, memory_lock, mmap_lock;

byte state = RUNNING;
bool opened = true;
bool gate_is_open = true;
bool pte;			/* a register page is mapped */

/* data_fds. A file is a number from 1; 0 is NULL. */
#define FILES	3
byte saving, resuming;
bool dead[FILES + 1];
bool buf[FILES + 1];
byte refs[FILES + 1];
byte user_fd;			/* what the user has of them, with a reference */

/* The hardware, and what it is judged by */
byte hw = HW_RUNS;
byte life;			/* how many times it has been reset */
byte birth[FILES + 1];		/* the life that a file was opened in */
bool used;			/* the guest has set it up since the last reset */
bool resetting;			/* a reset has begun and not returned */
bool touched;			/* somebody may have changed the state since a reset */
bool closed_anew;		/* the gate has been closed since a reset */
byte sets_under_way;
byte fails = FAILS;
byte users;			/* who keeps the device open */
byte running;			/* processes that have not ended */

/* data_fd.c */

inline publish_file(where, f)
{
	spin_lock(flag_lock);
	where = f;
	spin_unlock(flag_lock)
}

inline fput(f)		{ atomic { assert(refs[f]); refs[f]--; buf[f] = buf[f] && refs[f] } }

inline mark_file_dead(where)
{
	mark = where;
	if
	:: mark ->
		atomic {
			assert(refs[mark]);	/* a file that is gone is not touched */
			dead[mark] = true
		}
	:: else
	fi;
	mark = 0
}

inline mark_files_dead()
{
	mark_file_dead(saving);
	mark_file_dead(resuming)
}

inline kill_file(f)
{
#ifdef BREAK_KILL_TAKES_IO_LOCK
	mutex_lock(io_lock);
#endif
	/* lock of the file: a leaf, and so one step */
	atomic {
		assert(refs[f]);
		dead[f] = true;
		buf[f] = false
	}
#ifdef BREAK_KILL_TAKES_IO_LOCK
	mutex_unlock(io_lock);
#endif
	fput(f)
}

inline kill_files()
{
	assert(mutex);
	atomic { old_saving = saving; old_resuming = resuming }
#ifndef BREAK_FILES_FORGOTTEN_UNLOCKED
	spin_lock(flag_lock);
#endif
#ifndef BREAK_FILES_FORGOTTEN_ALIVE
	mark_files_dead();
#endif
	saving = 0;
	resuming = 0;
#ifndef BREAK_FILES_FORGOTTEN_UNLOCKED
	spin_unlock(flag_lock);
#endif
	if
	:: old_saving -> kill_file(old_saving)
	:: else
	fi;
	if
	:: old_resuming -> kill_file(old_resuming)
	:: else
	fi;
	atomic { old_saving = 0; old_resuming = 0 }
}

/* gate.c */

inline gate_close()
{
	assert(mutex);
	down_write(gate_lock);
	atomic { gate_is_open = false; closed_anew = true }
	pte = false;		/* unmap_mapping_range() */
	up_write(gate_lock);
	mutex_lock(trap_lock);
	mutex_unlock(trap_lock)
}

inline gate_open()
{
	gate_is_open = true
}

/*
 * The gate says no. A reset that has returned made the device run, so only a
 * transition that came later may have closed the gate.
 */
inline refused()
{
#ifndef GATE_NOT_JUDGED
	assert(resetting || !reset_pending || closed_anew)	/* a reset that is over has opened the gate */
#else
	skip
#endif
}

inline gate_fault()
{
	down_read(mmap_lock);
	down_read(gate_lock);
	if
	:: atomic { gate_is_open -> skip }
		down_read(memory_lock);		/* the core's fault handler */
		pte = true;
		up_read(memory_lock)
	:: atomic { !gate_is_open -> refused() }
	fi;
	up_read(gate_lock);
	up_read(mmap_lock)
}

inline use_device()
{
	/* What overlaps with a reset may be lost. */
	used = used || !resetting
}

inline try_access()
{
	if
	:: atomic { !gate_is_open -> refused() }
	:: atomic { gate_is_open -> skip }
		down_read(memory_lock);
		mutex_lock(trap_lock);
		if
		:: atomic { gate_is_open -> use_device() }
		:: atomic { !gate_is_open -> refused() }
		fi;
		mutex_unlock(trap_lock);
		up_read(memory_lock)
	fi
}

/* reset.c */

/* The device half forgets the earlier life, and stops what an arc has started. */
inline ops_reset()
{
	atomic {
		assert(trap_lock);
		assert(!used);		/* what the guest set up after a reset stays */
		hw = HW_RUNS
	}
}

#ifdef BREAK_DEVICE_DEFERRED
inline do_reset()
{
	kill_files();
	if
	:: opened ->
		mutex_lock(trap_lock);
		ops_reset();
		mutex_unlock(trap_lock);
		state = RUNNING;
		gate_open()
	:: else
	fi
}
#else
inline do_reset()
{
	assert(mutex);
	kill_files();
	if
	:: opened ->
		state = RUNNING;
		gate_open()
	:: else
	fi
}
#endif

inline lock()		{ mutex_lock(mutex) }

/* Sets found */
inline take_reset()
{
	spin_lock(flag_lock);
	atomic { found = reset_pending; reset_pending = false }
	spin_unlock(flag_lock);
	if
	:: found -> do_reset()
	:: else
	fi
}

inline unlock()
{
#ifdef BREAK_UNLOCK_BEFORE_FLAG
	/* looks, lets the flag_lock go, and only then unlocks */
	do
	:: spin_lock(flag_lock);
	   atomic { found = reset_pending; reset_pending = false }
	   spin_unlock(flag_lock);
	   if
	   :: found -> do_reset()
	   :: else -> break
	   fi
	od;
	mutex_unlock(mutex);
#else
	spin_lock(flag_lock);
	do
	:: reset_pending ->
		reset_pending = false;
		spin_unlock(flag_lock);
#ifdef BREAK_DEVICE_DEFERRED
		down_read(memory_lock);
		do_reset();
		up_read(memory_lock);
#else
		do_reset();
#endif
		spin_lock(flag_lock)
	:: else -> break
	od;
	mutex_unlock(mutex);
	spin_unlock(flag_lock);
#endif
	found = false
}

#ifdef BREAK_WAIT_FOR_MUTEX
inline mutex_trylock()	{ mutex_lock(mutex); got = true }
#else
inline mutex_trylock()
{
	atomic {
		got = !mutex;
		mutex = true
	}
}
#endif

inline reset_comes()
{
	atomic {
		reset_pending = true;
		touched = (sets_under_way > 0);
		closed_anew = false
	}
}

inline reset_done()
{
#ifdef BREAK_DEVICE_DEFERRED
	skip;
#else
	mutex_lock(trap_lock);
	if
	:: opened -> ops_reset()
	:: else
	fi;
#endif
#ifdef BREAK_FLAG_AFTER_TRYLOCK
	mutex_trylock();
	if
	:: !got ->
		spin_lock(flag_lock);
		reset_comes();
		mark_files_dead();
		spin_unlock(flag_lock)
	:: else
	fi;
#else
#ifndef BREAK_FLAG_UNLOCKED
	spin_lock(flag_lock);
#endif
	reset_comes();
#ifndef BREAK_FILES_MARKED_LATE
	mark_files_dead();
#endif
	mutex_trylock();
	if
	:: got -> reset_pending = false
	:: else
	fi;
#ifndef BREAK_FLAG_UNLOCKED
	spin_unlock(flag_lock);
#endif
#endif
#ifndef BREAK_DEVICE_DEFERRED
	gate_is_open = gate_is_open || opened;
	mutex_unlock(trap_lock);
#endif
	if
	:: got ->
		do_reset();
		unlock()
	:: else
	fi;
	got = false
}

/* fsm.c */

/* What an arc does to the device, with resets by VFIO and accesses kept out */
inline arc_work()
{
	atomic {
		assert(trap_lock && memory_lock.readers && !memory_lock.writer);
		assert(!reset_pending);			/* an arc begins with no reset pending */
		assert(resetting || hw == hw_of(state));	/* an arc begins with the hardware in the FSM's state */
		assert(!stops || (!gate_is_open && !pte));	/* the gate is closed before the device stops */
		assert(may_access(state) || (!gate_is_open && !pte))	/* a stopped device is behind the gate */
	}
	/* A reset that is not VFIO's may come right here. */
	if
	:: new_hw != hw_of(state) -> hw = new_hw; ret = OK
	:: else -> ret = OK
	:: atomic { fails -> fails--; ret = EBUSY }
	:: atomic { fails -> fails--; hw = HW_STOPPED; ret = EIO }
	fi
}

inline new_file(where)
{
	atomic {
		if
		:: !refs[1] -> file = 1
		:: else ->
			if
			:: !refs[2] -> file = 2
			:: else -> assert(!refs[3]); file = 3
			fi
		fi;
		refs[file] = 1;
		dead[file] = false;
		buf[file] = true;
		birth[file] = life
	}
	assert(!saving && !resuming);
	publish_file(where, file);
	file = 0;
	new_session = true
}

/* Opens what the state to come needs, on which the user has waited for the arc. */
inline arc_files()
{
	if
	:: ret == OK && !has_saving(state) && has_saving(next) -> new_file(saving)
	:: ret == OK && state == STOP && next == RESUMING -> new_file(resuming)
	:: else
	fi
}

inline run_arc()
{
	down_read(memory_lock);
#if defined(BREAK_ARC_IGNORES_FLAG)
	mutex_lock(trap_lock);
	arc_work();
	arc_files();
	mutex_unlock(trap_lock);
#elif defined(BREAK_FLAG_BEFORE_TRAP_LOCK) || defined(BREAK_DEVICE_DEFERRED)
	take_reset();
	if
	:: found -> ret = ARC_RESTARTED
	:: else ->
		mutex_lock(trap_lock);
		arc_work();
		arc_files();
		mutex_unlock(trap_lock)
	fi;
#else
	mutex_lock(trap_lock);
	take_reset();
	if
	:: found -> ret = ARC_RESTARTED
	:: else -> arc_work(); arc_files()
	fi;
	mutex_unlock(trap_lock);
#endif
	up_read(memory_lock);
	found = false
}

inline do_arc()
{
	atomic {
		new_hw = hw_of(next);
		stops = may_access(state) && !may_access(next);
		starts = !may_access(state) && may_access(next)
	}
	if
	:: atomic { (has_saving(state) && !has_saving(next)) ->
		assert(new_hw == hw_of(state)) }
		kill_files();			/* arc_end_session() */
		ret = OK
	:: atomic { else -> skip }
		if
		:: stops ->
#ifdef BREAK_GATE_CLOSED_LATE
			run_arc();
			gate_close()
#else
			gate_close();
			run_arc()
#endif
		:: else -> run_arc()
		fi;
		if
		:: stops && ret == EBUSY -> gate_open()
		:: starts && ret == OK -> gate_open()
		:: state == RESUMING && ret == OK -> kill_files()	/* arc_load() */
		:: else
		fi
	fi;
	atomic { stops = false; starts = false; new_hw = 0 }
}

inline enter_error()
{
	kill_files();
	gate_close();
	atomic { state = ERROR; touched = touched || !reset_pending }
}

inline report_failure()
{
	if
	:: ret == EIO -> enter_error()
	:: else
	fi
}

inline step()
{
	do_arc();
	if
	:: ret == ARC_RESTARTED -> ret = OK
	:: ret == OK -> state = next
	:: else -> report_failure()
	fi
}

/* vfio_mig_get_next_state() with P2P and PRE_COPY */
inline next_state()
{
	if
	:: state == ERROR -> ret = EINVAL
	:: (state == STOP_COPY && (want == PRE_COPY || want == PRE_COPY_P2P)) ->
		ret = EINVAL
	:: else ->
		if
		:: state == STOP ->
			next = ((want == STOP_COPY || want == RESUMING) -> want : RUNNING_P2P)
		:: state == RUNNING ->
			next = ((want == PRE_COPY || want == PRE_COPY_P2P) -> PRE_COPY : RUNNING_P2P)
		:: state == PRE_COPY ->
			next = ((want == PRE_COPY_P2P || want == STOP_COPY) -> PRE_COPY_P2P : RUNNING)
		:: state == PRE_COPY_P2P ->
			next = ((want == PRE_COPY || want == STOP_COPY) -> want : RUNNING_P2P)
		:: state == RUNNING_P2P ->
			next = ((want == STOP || want == STOP_COPY || want == RESUMING) -> STOP :
				(want == PRE_COPY_P2P -> want : RUNNING))
		:: state == STOP_COPY || state == RESUMING ->
			next = STOP
		fi
	fi
}

inline set_state()
{
	lock();
	new_session = false;
	ret = OK;
	do
	:: ret == OK && state != want ->
		atomic { next_state() }
		if
		:: ret == OK -> step()
		:: else
		fi
	:: else -> break
	od;
	atomic {
		if
		:: ret == OK && new_session && (saving || resuming) ->
			/* new_data_file() */
			file = (saving -> saving : resuming);
			assert(refs[file]);
			refs[file]++
		:: else
		fi
	}
	unlock();
	new_session = false
}

/* update() and load_early(): the data_fd has the device do something. */
inline for_file(f)
{
	lock();
	if
	:: saving == f && (state == PRE_COPY || state == PRE_COPY_P2P) ||
	   resuming == f ->
		atomic { new_hw = hw_of(state); next = state }
		run_arc();
		if
		:: ret == ARC_RESTARTED -> ret = ENODEV
		:: ret != OK && ret != ARC_RESTARTED -> report_failure()
		:: else
		fi
	:: else -> ret = ENODEV
	fi;
	unlock();
	atomic { new_hw = 0; next = 0; ret = 0 }
}

/* Processes */

#define LOCALS \
	byte want, next, ret, file, old_saving, old_resuming, mark, new_hw; \
	bool found, got, stops, starts, new_session

proctype setter()
{
	LOCALS;
	byte left = SETS;

	do
	:: left ->
		atomic {
			left--;
			if
			:: want = RUNNING
			:: want = STOP
			:: want = STOP_COPY
			:: want = RESUMING
			:: want = PRE_COPY
#ifdef ALL_STATES
			:: want = RUNNING_P2P
			:: want = PRE_COPY_P2P
#endif
			fi;
			sets_under_way++;
			touched = true
		}
		set_state();
		atomic {
			sets_under_way--;
			if
			:: file && !user_fd && IOS -> user_fd = file; file = 0
			:: else
			fi;
			want = 0;
			next = 0;
			ret = 0
		}
		if
		:: file -> fput(file); file = 0
		:: else
		fi
	:: else -> break
	od;
	atomic { users--; running-- }
}

proctype getter()
{
	LOCALS;
	byte left = GETS, then;
	bool fresh;

	do
	:: left ->
		atomic {
			left--;
			fresh = !touched && !resetting;
			then = life
		}
		lock();
		/* The reset had returned by the time of the call. */
		atomic {
			fresh = fresh && !touched && !resetting && then == life;
			assert(!fresh || state == RUNNING);	/* GET_STATE after a reset says RUNNING */
			fresh = false;
			then = 0
		}
		unlock()
	:: else -> break
	od;
	atomic { users--; running-- }
}

/* copy_to_user() and copy_from_user(), to or from a page of the device itself */
inline user_copy()
{
	if
	:: atomic { users -> users++ }
		gate_fault();
		users--
	:: skip
	fi
}

/* The stream, under the file's lock: peek() or append() */
inline touch_stream()
{
	atomic {
		ret = (dead[fd] -> ENODEV : OK);
#ifdef BREAK_DEAD_NOT_LOOKED_AT
		ret = OK;
#endif
		assert(ret == ENODEV || buf[fd]);	/* the memory of a dead file is not used */
		assert(!stale || ret == ENODEV)		/* after a reset an older data_fd is dead */
	}
}

/* saving_read(), saving_ioctl() and resuming_write() */
proctype io()
{
	LOCALS;
	byte left = IOS, fd;
	bool stale;

	do
	:: left ->
		atomic {
			(user_fd || running == 1 || !sets_under_way) ->
			left--;
			fd = user_fd;
			stale = fd && birth[fd] < life && !resetting
		}
		if
		:: fd ->
			mutex_lock(io_lock);
			user_copy();
			touch_stream();
			if
			:: ret == OK -> for_file(fd)
			:: else
			fi;
			ret = 0;
			mutex_unlock(io_lock);
			if
			:: atomic { true -> user_fd = 0 }
				fput(fd)		/* the user closes it */
			:: skip
			fi
		:: else
		fi;
		fd = 0;
		stale = false
	:: else -> break
	od;
	running--
}

/* The guest, through a mapped BAR or trapped */
proctype guest()
{
	byte left = USES;

	do
	:: left ->
		left--;
		if
		:: gate_fault();
		   atomic {
			if
			:: pte -> use_device()
			:: else
			fi
		   }
		:: try_access()
		fi
	:: else -> break
	od;
	atomic { users--; running-- }
}

inline hw_reset()
{
	atomic { hw = HW_RUNS; used = false; life++ }
}

/* VFIO_DEVICE_RESET, FLR by config space, hot reset: memory_lock, and try the rest */
proctype resetter()
{
	LOCALS;
	byte left = RESETS;

	do
	:: left ->
		left--;
		down_write(memory_lock);
		pte = false;				/* vfio_pci_zap_bars() */
		if
		:: atomic { !device_lock -> device_lock = true; resetting = true }
			hw_reset();
			reset_done();
			resetting = false;
			mutex_unlock(device_lock)
		:: atomic { device_lock -> skip }	/* -EAGAIN */
		fi;
		up_write(memory_lock)
	:: else -> break
	od;
	atomic { users--; running-- }
}

/* Somebody writes to the reset file in sysfs. */
proctype other_resetter()
{
	LOCALS;
	byte left = OTHERS;

	do
	:: left ->
		left--;
		mutex_lock(device_lock);
		resetting = true;
		hw_reset();
		reset_done();
		resetting = false;
		mutex_unlock(device_lock)
	:: else -> break
	od;
	running--
}

/* mmap() and munmap() by another thread of the VMM */
proctype mapper()
{
	down_write(mmap_lock);
	up_write(mmap_lock);
	atomic { users--; running-- }
}

inline open_migratable()
{
	lock();
	down_read(memory_lock);
	mutex_lock(trap_lock);
	opened = true;
	ops_reset();
	mutex_unlock(trap_lock);
	up_read(memory_lock);
	do_reset();
	unlock()
}

inline close_migratable()
{
	lock();
#ifndef BREAK_CLOSE_KEEPS_FILES
	kill_files();
#endif
#ifdef BREAK_CLOSE_GATE_FIRST
	gate_close();
	mutex_lock(trap_lock);
	opened = false;
	mutex_unlock(trap_lock);
#else
	mutex_lock(trap_lock);
	opened = false;
	mutex_unlock(trap_lock);
	gate_close();
#endif
	unlock()
}

#define alive(f)	(refs[f] && !dead[f])
#define serves(f)	(opened && (saving == f && has_saving(state) || \
				    resuming == f && state == RESUMING))
#define right_file(f)	(!alive(f) || (serves(f) && birth[f] == life && buf[f]))

/* What has to hold when nobody is at work. */
inline check_quiet()
{
	atomic {
		assert(!mutex && !flag_lock && !trap_lock && !device_lock && !io_lock);	/* all locks are free */
		assert(!reset_pending);				/* no reset is lost */
		assert(touched || !opened || state == RUNNING);	/* a reset that came last leaves RUNNING */
		assert(!opened || gate_is_open == may_access(state));	/* the gate is as the state says */
		assert(!pte || gate_is_open);			/* no page is mapped behind a closed gate */
		assert(!opened || hw == hw_of(state));		/* the hardware is as the state says */
		assert(right_file(1) && right_file(2) && right_file(3));	/* a live data_fd is of the session under way */
		assert(!opened || (saving != 0) == has_saving(state));	/* there is a saving file where the state has one */
		assert(!opened || (resuming != 0) == (state == RESUMING))	/* there is a resuming file where the state has one */
	}
}

/* Any state that earlier calls can have left */
inline start()
{
	atomic {
		if
		:: state = ERROR
		:: state = STOP
		:: state = RUNNING
		:: state = STOP_COPY
		:: state = RESUMING
		:: state = RUNNING_P2P
		:: state = PRE_COPY
		:: state = PRE_COPY_P2P
		fi;
		touched = (state != RUNNING);
		gate_is_open = may_access(state);
		hw = hw_of(state);
		if
		:: has_saving(state) -> saving = 1
		:: state == RESUMING -> resuming = 1
		:: else
		fi;
		if
		:: saving || resuming ->
			buf[1] = true;
			refs[1] = 1;
			if
			:: IOS -> user_fd = 1; refs[1] = 2
			:: else
			fi
		:: else
		fi
	}
}

init {
	LOCALS;

	start();
	atomic {
		if :: SETS -> run setter(); users++; running++ :: else fi;
		if :: GETS -> run getter(); users++; running++ :: else fi;
		if :: USES -> run guest(); users++; running++ :: else fi;
		if :: RESETS -> run resetter(); users++; running++ :: else fi;
		if :: MMAPS -> run mapper(); users++; running++ :: else fi;
		if :: IOS -> run io(); running++ :: else fi;
		if :: OTHERS -> run other_resetter(); running++ :: else fi
	}
	if
	:: CLOSES ->
		/* The last file descriptor and mapping of the device have gone. */
		users == 0;
		close_migratable();
		atomic { pte = false; used = false }
		assert(!gate_is_open);	/* the gate of a closed device is closed */
		assert(!user_fd || !alive(user_fd));	/* closing the device kills its data_fds */
		/* vfio_pci_core_enable() resets the device, if it gets the lock. */
		if
		:: atomic { !device_lock -> device_lock = true; resetting = true }
			hw_reset();
			reset_done();
			resetting = false;
			mutex_unlock(device_lock)
		:: atomic { device_lock -> skip }
		fi;
		open_migratable()
	:: else
	fi;
	running == 0;
	check_quiet()
}
