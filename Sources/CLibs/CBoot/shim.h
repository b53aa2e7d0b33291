// SPDX-License-Identifier: Apache-2.0
// What glibc's headers declare only for _GNU_SOURCE, which Swift's view of them does not define; calls of variadic functions.
#pragma once
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct cvm_peer {
    pid_t process;
    uid_t user;
    gid_t group;
};

// Who connected a socket of the Unix family: 0, or -1 with errno.
static inline int cvm_peer_of(int socket, struct cvm_peer *peer) {
    socklen_t length = sizeof *peer;
    return getsockopt(socket, SOL_SOCKET, 17 /* SO_PEERCRED */, peer, &length);
}

int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

// The next client, close-on-exec and never waited for. -1 with errno.
static inline int cvm_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

// A descriptor that stands for one process, whoever has its number later; readable when it ends. -1 with errno.
static inline int cvm_process_handle(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

// A counter that wakes who polls it. -1 with errno.
static inline int cvm_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// Switches the machine off, without asking anybody; in a PID namespace of its own, ends that. Returns only where it failed.
static inline int cvm_power_off(void) { return (int)syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x4321fedc, NULL); }
