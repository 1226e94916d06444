/* A TCP relay that only moves bytes: what one more hop costs at least.
 *
 *     relay LISTEN_PORT TARGET_PORT        (both on loopback; single-threaded, epoll, level-triggered)
 *
 * Each side of a pair has one buffer for what goes to the other side. A full buffer stops reading; an end
 * of file is passed on once the buffer is empty.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, EVENTS = 64 };

struct side {
    int fd;
    struct side *other;
    size_t from, to; /* bytes read here and not yet written there: buffer[from..to) */
    int ended, closed;
    uint32_t wanted;
    char buffer[ROOM];
};

static int queue;

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void want(struct side *side) {
    uint32_t wanted = 0;
    if (!side->ended && side->to < ROOM) wanted |= EPOLLIN;
    if (side->other->from < side->other->to) wanted |= EPOLLOUT;
    if (wanted == side->wanted) return;
    side->wanted = wanted;
    struct epoll_event event = {.events = wanted, .data.ptr = side};
    if (epoll_ctl(queue, EPOLL_CTL_MOD, side->fd, &event)) die("epoll_ctl");
}

static struct side *make(int fd) {
    struct side *side = calloc(1, sizeof *side);
    int yes = 1;
    if (!side) die("calloc");
    side->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return side;
}

static void watch(struct side *side) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = side};
    side->wanted = EPOLLIN;
    if (epoll_ctl(queue, EPOLL_CTL_ADD, side->fd, &event)) die("epoll_ctl");
}

static void hang_up(struct side *side) {
    if (side->closed) return;
    side->closed = side->other->closed = 1;
    close(side->fd);
    close(side->other->fd);
}

/* Write to `side` what was read from its peer; 0 when the pair is done for. */
static int write_out(struct side *side) {
    struct side *source = side->other;
    while (source->from < source->to) {
        ssize_t count = send(side->fd, source->buffer + source->from, source->to - source->from, MSG_NOSIGNAL);
        if (count < 0) return errno == EAGAIN;
        source->from += (size_t)count;
    }
    source->from = source->to = 0;
    if (source->ended) shutdown(side->fd, SHUT_WR);
    return !(source->ended && side->ended);
}

static int read_in(struct side *side) {
    ssize_t count = recv(side->fd, side->buffer + side->to, ROOM - side->to, 0);
    if (count < 0) return errno == EAGAIN;
    if (count == 0) side->ended = 1;
    side->to += (size_t)count;
    return write_out(side->other);
}

static void take(int listener, int target) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (client < 0) return;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = loopback(target);
    if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof address)) {
        if (server >= 0) close(server);
        close(client);
        return;
    }
    fcntl(server, F_SETFL, O_NONBLOCK); /* connected while it blocked: loopback answers at once */
    struct side *one = make(client), *two = make(server);
    one->other = two;
    two->other = one;
    watch(one);
    watch(two);
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: relay LISTEN_PORT TARGET_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = loopback(atoi(words[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)) die("listen");
    queue = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    if (epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(queue, events, EVENTS, -1);
        struct side *gone[EVENTS];
        int lost = 0;
        for (int i = 0; i < ready; i++) {
            struct side *side = events[i].data.ptr;
            if (!side) {
                take(listener, atoi(words[2]));
                continue;
            }
            if (side->closed) continue;
            int good = !(events[i].events & EPOLLERR);
            if (good && events[i].events & EPOLLOUT) good = write_out(side);
            if (good && events[i].events & (EPOLLIN | EPOLLHUP)) good = side->to < ROOM ? read_in(side) : 1;
            if (good && events[i].events & EPOLLHUP && side->ended) good = 0;
            if (!good) {
                hang_up(side);
                gone[lost++] = side;
                continue;
            }
            want(side);
            want(side->other);
        }
        /* Freed only now: another event of this round may still point at them. */
        for (int i = 0; i < lost; i++) {
            free(gone[i]->other);
            free(gone[i]);
        }
    }
}
