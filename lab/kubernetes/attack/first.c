/* A pod whose first work is a packet: no library, no loader; the kernel's first two calls from it are socket and connect.
 *
 * Port 20000 + JOB_COMPLETION_INDEX, IPv4 for an even index and IPv6 for an odd one. The errno of the attempt, 0 for a connection, is the
 * container's termination message; the exit code is 0, so that a Job counts the start, not its outcome.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static long call(long number, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

static int index_of(char **environment) {
    static const char name[] = "JOB_COMPLETION_INDEX=";
    for (; *environment; environment++) {
        int at = 0, number = 0;
        while (name[at] && (*environment)[at] == name[at]) at++;
        if (name[at]) continue;
        for (const char *digit = *environment + at; *digit >= '0' && *digit <= '9'; digit++) number = number * 10 + (*digit - '0');
        return number;
    }
    return 0;
}

__attribute__((used)) static void start(long *stack) {
    int number = index_of((char **)(stack + stack[0] + 2));
    unsigned short port = (unsigned short)(20000 + number);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = __builtin_bswap16(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = __builtin_bswap16(port)};
    unsigned char *at4 = (unsigned char *)&four.sin_addr, *at6 = (unsigned char *)&six.sin6_addr;
    at4[0] = 203, at4[1] = 0, at4[2] = 113, at4[3] = 200;                  /* 203.0.113.200 */
    at6[0] = 0x20, at6[1] = 0x01, at6[2] = 0x0d, at6[3] = 0xb8, at6[15] = 0xc8; /* 2001:db8::c8 */
    int odd = number & 1;
    long socket = call(SYS_socket, odd ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, 0, 0);
    long error = -call(SYS_connect, socket, odd ? (long)&six : (long)&four, odd ? sizeof six : sizeof four, 0, 0);
    if (error == 115) { /* EINPROGRESS */
        struct pollfd waiting = {.fd = (int)socket, .events = POLLOUT};
        int found = 0;
        unsigned length = sizeof found;
        error = call(SYS_poll, (long)&waiting, 1, 1500, 0, 0) == 0 ? 110 /* ETIMEDOUT */ : 0;
        if (!error) {
            call(SYS_getsockopt, socket, SOL_SOCKET, SO_ERROR, (long)&found, (long)&length);
            error = found;
        }
    }
    char text[4] = {(char)('0' + error / 100 % 10), (char)('0' + error / 10 % 10), (char)('0' + error % 10), '\n'};
    long file = call(SYS_open, (long)"/dev/termination-log", O_WRONLY, 0, 0, 0);
    call(SYS_write, file, (long)text, sizeof text, 0, 0);
    call(SYS_exit_group, 0, 0, 0, 0, 0);
}

__attribute__((naked, used)) void _start(void) {
    __asm__("mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
}
