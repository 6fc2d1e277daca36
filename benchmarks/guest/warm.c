/* Touches memory, so many MiB in large pages and as many in small ones, and gives it back.
 *
 * On a virtual machine, memory that was in use a moment ago is there; other memory has to be found
 * by the host first, which may take ten times as long. Run right before a migration, this keeps
 * that out of what is measured. QEMU takes large pages for its guests and Godwit small ones, and
 * the kernel keeps them apart.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *touch(size_t length, int advice) {
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) exit(1);
  madvise(memory, length, advice);
  memset(memory, 1, length);
  return memory;
}

int main(int argc, char **argv) {
  size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 0;
  const char *large = touch(length, MADV_HUGEPAGE);
  const char *small = touch(length, MADV_NOHUGEPAGE);
  /* Reading it back keeps the compiler from leaving the stores out. */
  return large[length / 2] + small[length / 2] == 2 ? 0 : 1;
}
