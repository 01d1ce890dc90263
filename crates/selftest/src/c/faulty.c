/* A server that fails in the ways in which programs in C do. It speaks the protocol of the tally example: one request a
 * line, one answer a line. `note WORD` commits the fault of that name. */

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;
static volatile int numbers[4] = {1, 2, 3, 2147483647};
static volatile int shared;
static void *volatile sink;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

__attribute__((noinline)) void follow_null(int depth) {
    if (depth == 0)
        *(volatile int *)(long)(numbers[0] - 1) = 1;
    else
        follow_null(depth - 1);
    numbers[1]++;
}

__attribute__((noinline)) void read_behind(void) {
    volatile char *buffer = malloc(8);
    numbers[1] = buffer[8];
    free((void *)buffer);
}

__attribute__((noinline)) void add_too_much(void) {
    numbers[1] = numbers[3] + numbers[0];
}

__attribute__((noinline)) void forget(void) {
    sink = malloc(100);
    sink = NULL;
}

static void *increment(void *unused) {
    for (int i = 0; i < 1000; i++)
        shared++;
    return unused;
}

__attribute__((noinline)) void race(void) {
    pthread_t other;
    pthread_create(&other, NULL, increment, NULL);
    increment(NULL);
    pthread_join(other, NULL);
}

#ifdef WITH_CPP
void commit_in_cpp(const char *fault, volatile int *result);
#else
static void commit_in_cpp(const char *fault, volatile int *result) {
    (void)fault;
    (void)result;
}
#endif

static void commit(const char *fault) {
    fprintf(stderr, "%s\n", fault);
    if (strcmp(fault, "null") == 0)
        follow_null(2);
    else if (strcmp(fault, "overflow") == 0)
        read_behind();
    else if (strcmp(fault, "sum") == 0)
        add_too_much();
    else if (strcmp(fault, "leak") == 0)
        forget();
    else if (strcmp(fault, "race") == 0)
        race();
    else if (strcmp(fault, "assert") == 0)
        abort();
    else
        commit_in_cpp(fault, &numbers[1]);
}

static void serve(int connection) {
    char line[256];
    FILE *stream = fdopen(connection, "r");
    while (stream && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "note ", 5) == 0)
            commit(line + 5);
        if (strcmp(line, "pid") == 0)
            dprintf(connection, "%d\n", getpid());
        else
            dprintf(connection, "0\n");
    }
    if (stream)
        fclose(stream);
}

int main(int count, char **words) {
#ifdef CRASHES_AT_START
    if (count > 1 && strcmp(words[1], "--version") != 0)
        follow_null(2);
#endif
    char *colon = count > 1 ? strrchr(words[1], ':') : NULL;
    if (count > 1 && strcmp(words[1], "--version") == 0) {
        puts("tally 1.0");
        return 0;
    }
    if (!colon)
        return 2;
    *colon = 0;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(colon + 1))};
    inet_pton(AF_INET, words[1], &at.sin_addr);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64))
        return 3;
    while (!stopped) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(listener, &ready);
        struct timeval moment = {.tv_usec = 100000};
        if (select(listener + 1, &ready, NULL, NULL, &moment) > 0)
            serve(accept(listener, NULL, NULL));
    }
    return 0;
}
