// SPDX-License-Identifier: Apache-2.0
// libcryptsetup's handler for tokens of type clevis (docs/spec/boot.md §5). It decides nothing: a process of its own does, so that
// neither a crash nor a slow network is cryptsetup's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    maximum_key = 4096,
    maximum_metadata = 8 << 20,
    maximum_refusals = 64,
    seconds_in_initrd = 60,
    seconds_elsewhere = 5,
    grace = 5,
};

const char *cryptsetup_token_version(void);
int cryptsetup_token_validate(struct crypt_device *device, const char *json);
int cryptsetup_token_open(struct crypt_device *device, int token, char **key, size_t *length, void *user);
int cryptsetup_token_open_pin(struct crypt_device *device, int token, const char *pin, size_t pin_length, char **key,
                              size_t *length, void *user);
void cryptsetup_token_buffer_free(void *buffer, size_t length);

const char *cryptsetup_token_version(void) { return "1"; }

// MARK: - What was refused before

// libcryptsetup opens a token of a preferred keyslot twice.
static struct refusal {
    char uuid[40];
    int token;
    int status;
} refusals[maximum_refusals];
static size_t refusal_count;
static pthread_mutex_t refusal_lock = PTHREAD_MUTEX_INITIALIZER;

static int recall(const char *uuid, int token) {
    int status = 0;
    pthread_mutex_lock(&refusal_lock);
    for (size_t i = 0; i < refusal_count; i++)
        if (refusals[i].token == token && !strcmp(refusals[i].uuid, uuid)) status = refusals[i].status;
    pthread_mutex_unlock(&refusal_lock);
    return status;
}

static int remember(const char *uuid, int token, int status) {
    pthread_mutex_lock(&refusal_lock);
    if (refusal_count < maximum_refusals) {
        struct refusal *refusal = &refusals[refusal_count++];
        snprintf(refusal->uuid, sizeof refusal->uuid, "%s", uuid);
        refusal->token = token;
        refusal->status = status;
    }
    pthread_mutex_unlock(&refusal_lock);
    return status;
}

// MARK: - The program

struct child {
    pid_t process;
    int channel;
};

// One socket is its standard input and output: a write to it can be told not to raise SIGPIPE.
static bool start(struct child *child, int seconds) {
    char text[16];
    snprintf(text, sizeof text, "%d", seconds);
    char *words[] = {(char[]){"cvm-clevis-unlock"}, (char[]){"key"}, (char[]){"--timeout"}, text, NULL};
    char *environment[] = {NULL};
    int ends[2];
    sigset_t none, usual;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return false;
    sigemptyset(&none);
    sigfillset(&usual);
    bool started = false;
    if (!posix_spawn_file_actions_init(&actions)) {
        if (!posix_spawnattr_init(&attributes)) {
            started = !posix_spawn_file_actions_adddup2(&actions, ends[1], 0) &&
                      !posix_spawn_file_actions_adddup2(&actions, ends[1], 1) &&
                      !posix_spawnattr_setsigmask(&attributes, &none) && !posix_spawnattr_setsigdefault(&attributes, &usual) &&
                      !posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) &&
                      !posix_spawn(&child->process, PROGRAM, &actions, &attributes, words, environment);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    child->channel = ends[0];
    if (!started) close(ends[0]);
    return started;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Whether the channel is ready for `events` before `end`.
static bool await(int channel, short events, int64_t end) {
    for (;;) {
        struct pollfd state = {.fd = channel, .events = events};
        int64_t left = end - now();
        if (left <= 0) return false;
        int ready = poll(&state, 1, (int)left);
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

static bool put(int channel, const char *bytes, size_t count, int64_t end) {
    while (count) {
        if (!await(channel, POLLOUT, end)) return false;
        ssize_t sent = send(channel, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent <= 0) continue;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

// Everything up to the end, which must come before `end`; at most `room` bytes.
static bool get(int channel, char *bytes, size_t room, size_t *count, int64_t end) {
    *count = 0;
    while (await(channel, POLLIN, end)) {
        ssize_t received = recv(channel, bytes + *count, room - *count, MSG_DONTWAIT);
        if (received == 0) return true;
        if (received < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (received > 0) *count += (size_t)received;
        if (*count == room) return false;
    }
    return false;
}

// The program's exit status, -1 where it has none. It gets no longer than `end`.
static int finish(const struct child *child, bool answered, int64_t end) {
    int status = 0;
    if (!answered) kill(child->process, SIGKILL);
    for (;;) {
        pid_t done = waitpid(child->process, &status, now() < end ? WNOHANG : 0);
        if (done == child->process) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (done < 0 && errno != EINTR) return -1;
        if (now() >= end - 10) kill(child->process, SIGKILL);
        if (done == 0) poll(NULL, 0, 5);
    }
}

static bool ask(const struct child *child, const char *uuid, int token, const char *metadata, char *key, size_t *length,
                int64_t end) {
    char head[160];
    size_t count = strlen(metadata);
    int written = snprintf(head, sizeof head, "cvm-clevis key 1\nuuid %s\ntoken %d\nmetadata %zu\n", uuid, token, count);
    if (written <= 0 || (size_t)written >= sizeof head || count > maximum_metadata) return false;
    return put(child->channel, head, (size_t)written, end) && put(child->channel, metadata, count, end) &&
           !shutdown(child->channel, SHUT_WR) && get(child->channel, key, maximum_key + 1, length, end);
}

// MARK: - What libcryptsetup calls

static bool is_off(void) {
    return access("/etc/cvm-clevis/boot.json", R_OK) || !access("/etc/cvm-clevis/no-token-plugin", F_OK) ||
           !access("/run/cvm-clevis/no-token-plugin", F_OK);
}

// An activation of a volume whose reencryption is not finished reads the header again.
static bool is_plain(struct crypt_device *device) {
    uint32_t flags = 0;
    return !crypt_persistent_flags_get(device, CRYPT_FLAGS_REQUIREMENTS, &flags) && !flags &&
           crypt_reencrypt_status(device, NULL) == CRYPT_REENCRYPT_NONE;
}

// Any other value than these ends libcryptsetup's walk over the tokens.
static int result(int status) {
    return status == 3 ? -EAGAIN : status == 4 ? -ENOANO : -ENOENT;
}

static int run(struct crypt_device *device, const char *uuid, int token, const char *metadata, char *key, size_t *length) {
    int seconds = access("/etc/initrd-release", F_OK) ? seconds_elsewhere : seconds_in_initrd;
    int64_t end = now() + (seconds + grace) * 1000;
    struct child child;
    if (!start(&child, seconds)) {
        crypt_logf(device, CRYPT_LOG_ERROR, "clevis token: cannot run %s.\n", PROGRAM);
        return -ENOENT;
    }
    bool answered = ask(&child, uuid, token, metadata, key, length, end);
    // What it says counts once it has said all of it and ended well.
    int status = finish(&child, answered, end);
    close(child.channel);
    if (status == 0 && answered && *length > 0) return 0;
    if (status < 0) crypt_logf(device, CRYPT_LOG_ERROR, "clevis token: %s did not end by itself.\n", PROGRAM);
    return result(status);
}

int cryptsetup_token_open_pin(struct crypt_device *device, int token, const char *pin, size_t pin_length, char **key,
                              size_t *length, void *user) {
    (void)pin, (void)pin_length, (void)user;
    const char *metadata = NULL, *uuid = crypt_get_uuid(device);
    if (is_off() || !uuid || strlen(uuid) > 36 || !is_plain(device)) return -ENOENT;
    int known = recall(uuid, token);
    if (known) return known;
    if (crypt_dump_json(device, &metadata, 0) || !metadata) return -ENOENT;
    char *buffer = calloc(1, maximum_key + 1);
    if (!buffer) return -ENOENT;
    size_t count = 0;
    int status = run(device, uuid, token, metadata, buffer, &count);
    if (status) {
        explicit_bzero(buffer, maximum_key + 1);
        free(buffer);
        return remember(uuid, token, status);
    }
    *key = buffer;
    *length = count;
    return 0;
}

int cryptsetup_token_open(struct crypt_device *device, int token, char **key, size_t *length, void *user) {
    return cryptsetup_token_open_pin(device, token, NULL, 0, key, length, user);
}

void cryptsetup_token_buffer_free(void *buffer, size_t length) {
    if (!buffer) return;
    explicit_bzero(buffer, length);
    free(buffer);
}

// The program judges tokens; here every token that stock clevis can use has to pass, or it could not be imported any more.
int cryptsetup_token_validate(struct crypt_device *device, const char *json) {
    (void)device;
    return strstr(json, "\"jwe\"") ? 0 : -EINVAL;
}
