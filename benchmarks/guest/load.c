/* The program that runs as the only one in QEMU's guest: what `writer` and `idle` are for Godwit.
 *
 * It fills memory with the content of packages/guest/src/content.ts, byte for byte, then dirties
 * the pages of a working set at a rate, as packages/guest/src/writer.ts does. Parameters come from
 * the kernel's command line:
 *
 *   load.fill=MIB   memory to fill, in runs of 2 MiB: 40 % zero, 30 % text, 20 % heap, 10 % random
 *   load.wss=MIB    the working set, beyond that
 *   load.rate=N     pages of it dirtied per second, one after the other; 0: none
 *   load.style=few  three 8-byte words of a page at a time; `page`: all of it, fresh random bytes
 *
 * On the console: READY when memory is filled, then `TICK pages=TOTAL` twice a second.
 *
 * Started as any other program it prints content, for a test: load SEED KIND...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define MIB ((size_t)1 << 20)
#define RUN_BYTES (2 * MIB)
#define POOL_WORDS (MIB / sizeof(uint64_t))
#define LINE_BYTES_MAX 320
#define LINE_WORDS_FROM 280
#define VOCABULARY 48

static const char *const vocabulary[VOCABULARY] = {
  "the", "of", "and", "request", "session", "error", "user", "to", "in", "timeout", "value",
  "connection", "is", "for", "buffer", "index", "that", "with", "update", "on", "as", "was",
  "node", "cluster", "replica", "are", "this", "by", "be", "not", "memory", "migrate", "from",
  "which", "page", "or", "an", "storage", "has", "volume", "have", "at", "queue", "handler",
  "latency", "state", "policy", "checkpoint",
};

/* xorshift64*, as xorshift.ts has it. */
static uint64_t random_state;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * 0x2545f4914f6cdd1dULL;
}

static void seed_random(uint64_t seed) {
  random_state = 88172645463325252ULL ^ (seed * 0x9e3779b97f4a7c15ULL);
  for (int i = 0; i < 8; i++) next_random();
}

/* One line of a log, its newline included; returns its length. */
static size_t make_line(char line[LINE_BYTES_MAX]) {
  uint64_t a = next_random();
  uint32_t id = (uint32_t)next_random();
  size_t at = (size_t)sprintf(line, "2024-0%d-%02dT%02d:%02d:%02d.%03dZ %s  [worker-%d] id=%08x",
                              (int)(a % 9) + 1, (int)(a >> 4 & 15) + 10, (int)((a >> 9) % 24),
                              (int)((a >> 14) % 60), (int)((a >> 20) % 60),
                              (int)((a >> 26) % 1000), (a >> 36 & 7) == 0 ? "WARN" : "INFO",
                              (int)(a >> 39 & 15), id);
  at += (size_t)sprintf(line + at, " path=/api/v%d/%s/%d dur=%dms ", (int)(a >> 43 & 3) + 1,
                        vocabulary[(a >> 45) % VOCABULARY], (int)((a >> 51) % 5000),
                        (int)(a >> 57));
  uint64_t draw = next_random();
  int count = 3 + (int)(draw & 7);
  for (int i = 0; i < count && at < LINE_WORDS_FROM; i++) {
    draw = draw * 6364136223846793005ULL + 1442695040888963407ULL;
    int one = (int)((draw >> 33) % VOCABULARY);
    int other = (int)((draw >> 40) % VOCABULARY);
    /* The smaller of two makes the words at the front of the list more frequent. */
    at += (size_t)sprintf(line + at, "%s ", vocabulary[one < other ? one : other]);
  }
  line[at - 1] = '\n';
  return at;
}

static void make_text(char *page) {
  char line[LINE_BYTES_MAX];
  for (size_t at = 0; at < PAGE_BYTES;) {
    size_t length = make_line(line);
    size_t left = PAGE_BYTES - at;
    memcpy(page + at, line, length < left ? length : left);
    at += length;
  }
}

/* Objects of 64 bytes: a header, small numbers, pointers to near objects. */
static void make_heap(uint64_t *words) {
  static uint64_t object = 0x7f3a10000000ULL;
  for (size_t i = 0; i < PAGE_WORDS; i += 8, object += 64) {
    uint64_t a = next_random();
    words[i] = 0x2100000000ULL | (a & 7);
    words[i + 1] = a >> 8 & 0xff;
    words[i + 2] = a >> 16 & 0xffff;
    words[i + 3] = object + (a >> 32 & 0xfff8);
    words[i + 4] = 0;
    words[i + 5] = a >> 24 & 0x3f;
    words[i + 6] = 1;
    words[i + 7] = (a >> 48 & 3) == 0 ? object : 0;
  }
}

static void make_random(uint64_t *words) {
  for (size_t i = 0; i < PAGE_WORDS; i++) words[i] = next_random();
}

static void make_page(void *page, char kind) {
  if (kind == 't') make_text(page);
  else if (kind == 'h') make_heap(page);
  else if (kind == 'r') make_random(page);
}

static char kind_of_run(size_t run) {
  size_t x = run * 61 % 100;
  return x < 40 ? 'z' : x < 70 ? 't' : x < 90 ? 'h' : 'r';
}

/* Fresh memory at a multiple of 2 MiB, so that the kernel leaves runs of zeros unpopulated. */
static char *allocate(size_t length) {
  void *got = mmap(NULL, length + RUN_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return (char *)(((uintptr_t)got + RUN_BYTES - 1) / RUN_BYTES * RUN_BYTES);
}

static void fill(size_t length) {
  char *memory = allocate(length);
  for (size_t run = 0; run < length / RUN_BYTES; run++) {
    char kind = kind_of_run(run);
    if (kind == 'z') continue;
    for (size_t at = 0; at < RUN_BYTES; at += PAGE_BYTES) {
      make_page(memory + run * RUN_BYTES + at, kind);
    }
  }
}

struct writer {
  char *memory;
  size_t page_count;
  size_t cursor;
  uint64_t total;
  int whole_pages;
  uint64_t pool[POOL_WORDS];
};

static void store_few(uint64_t *words, size_t page, uint64_t counter) {
  size_t spread = page * 2654435761UL >> 7;
  words[spread & 511] += 1;
  words[(spread + 171) & 511] += 3;
  words[(spread + 397) & 511] = counter;
}

static void store_whole(uint64_t *words, const uint64_t *pool) {
  uint64_t a = next_random();
  const uint64_t *from = pool + (a >> 40 & 0x1fe00);
  for (size_t i = 0; i < PAGE_WORDS; i++) words[i] = from[i] ^ a;
}

static void write_next(struct writer *w) {
  uint64_t *words = (uint64_t *)(w->memory + w->cursor * PAGE_BYTES);
  w->total++;
  if (w->whole_pages) store_whole(words, w->pool);
  else store_few(words, w->cursor, w->total);
  w->cursor = w->cursor + 1 == w->page_count ? 0 : w->cursor + 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What was missed while the machine was stopped is made up for, up to 0.2 seconds of it. */
static void run(struct writer *w, double rate) {
  struct timespec nap = {0, rate > 0 ? 2000000 : 100000000};
  double before = now(), tick = before, due = 0;
  for (;;) {
    nanosleep(&nap, NULL);
    double at = now();
    due += (at - before) * rate;
    if (due > rate * 0.2) due = rate * 0.2;
    before = at;
    for (; due >= 1; due--) write_next(w);
    if (at - tick < 0.5) continue;
    tick = at;
    printf("TICK pages=%llu\n", (unsigned long long)w->total);
  }
}

/* The value behind `name` on the kernel's command line, or `fallback`. */
static const char *parameter(const char *line, const char *name, const char *fallback) {
  const char *found = strstr(line, name);
  return found == NULL ? fallback : found + strlen(name);
}

static void print_content(int count, char **arguments) {
  static uint64_t page[PAGE_WORDS];
  seed_random(strtoull(arguments[0], NULL, 10));
  for (int i = 1; i < count; i++) {
    make_page(page, arguments[i][0]);
    fwrite(page, PAGE_BYTES, 1, stdout);
  }
}

int main(int argc, char **argv) {
  static char line[4096];
  static struct writer w;
  if (getpid() != 1) {
    if (argc > 1) print_content(argc - 1, argv + 1);
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  FILE *file = fopen("/proc/cmdline", "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL) return 1;
  fclose(file);

  seed_random(1);
  fill(strtoul(parameter(line, "load.fill=", "0"), NULL, 10) * MIB);
  size_t length = strtoul(parameter(line, "load.wss=", "0"), NULL, 10) * MIB;
  double rate = strtod(parameter(line, "load.rate=", "0"), NULL);
  w.page_count = length / PAGE_BYTES;
  w.whole_pages = strncmp(parameter(line, "load.style=", "few"), "page", 4) == 0;
  w.memory = allocate(length);
  for (size_t page = 0; page < w.page_count; page++) {
    make_page(w.memory + page * PAGE_BYTES, w.whole_pages ? 'r' : 'h');
  }
  for (size_t i = 0; i < POOL_WORDS; i++) w.pool[i] = next_random();
  printf("READY\n");
  run(&w, w.page_count == 0 ? 0 : rate);
}
