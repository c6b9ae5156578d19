/* SPDX-License-Identifier: MIT
**
** oom.c - runs a script again and again, and fails one allocation more
** each time: the first, the second, ... until the script gets through.
**
**   oom SCRIPT [STEP [SPAN]]
**
** The C library's allocator is replaced, so Lua's and the module's
** allocations are all counted.  The script may fail, but afterwards, with
** the state closed, no allocation and no descriptor may be left.
**
** SPAN allocations fail in a row: 2, for Lua tries again after a collection;
** with 0 all of them until the script has ended.  arm(boolean) says which
** part of the script is meant; broken(message) that it has found something
** worse than a failure, as bytes that are lost without one.
*/

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

#define PATIENCE 20     /* seconds for a run */

static bool armed;
static long countdown;  /* allocations until one fails */
static long span = 2;   /* how many fail then; 0 for all */
static long number;     /* the first of them */
static long alive;      /* allocations not freed */

static bool fails(void) {
  return armed && --countdown <= 0 && (span == 0 || countdown > -span);
}

static void hangs(int signal) {
  static const char text[] = "oom: the script hangs; allocation ";
  char digits[24];
  size_t at = sizeof digits;
  (void)signal;
  digits[--at] = '\n';
  for (long n = number; n > 0; n /= 10)
    digits[--at] = (char)('0' + n % 10);
  if (write(2, text, sizeof text - 1) > 0 &&
      write(2, digits + at, sizeof digits - at) > 0)
    _exit(1);
  _exit(2);
}

static void *count(void *p) {
  if (p != NULL)
    alive++;
  return p;
}

void *malloc(size_t size) {
  return fails() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
  return fails() ? NULL : count(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size) {
  void *new;
  if (fails())
    return NULL;
  new = __libc_realloc(p, size);
  if (p == NULL)
    return count(new);
  if (size == 0)
    alive--;
  return new;
}

int posix_memalign(void **p, size_t align, size_t size) {
  *p = fails() ? NULL : count(__libc_memalign(align, size));
  return *p == NULL ? ENOMEM : 0;
}

void free(void *p) {
  if (p != NULL)
    alive--;
  __libc_free(p);
}

/* The descriptors that are open. */
static int descriptors(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (dir != NULL && readdir(dir) != NULL)
    n++;
  if (dir != NULL)
    closedir(dir);
  return n;
}

static int l_arm(lua_State *L) {
  armed = lua_toboolean(L, 1);
  return 0;
}

static int l_broken(lua_State *L) {
  armed = false;
  fprintf(stderr, "oom: allocation %ld failed: %s\n", number,
          luaL_checkstring(L, 1));
  exit(1);
}

/* One run; whether the script got through. */
static bool run(const char *script) {
  lua_State *L = luaL_newstate();
  bool good;
  if (L == NULL)
    exit(2);
  luaL_openlibs(L);
  lua_pushcfunction(L, l_arm);
  lua_setglobal(L, "arm");
  lua_pushcfunction(L, l_broken);
  lua_setglobal(L, "broken");
  alarm(PATIENCE);
  good = luaL_loadfile(L, script) == LUA_OK &&
         lua_pcall(L, 0, 0, 0) == LUA_OK;
  armed = false;
  if (!good && countdown > 0) {
    fprintf(stderr, "oom: %s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_close(L);
  return good;
}

int main(int argc, char **argv) {
  long step = argc > 2 ? atol(argv[2]) : 1, n, before;
  int open_before;
  if (argc < 2)
    return 2;
  span = argc > 3 ? atol(argv[3]) : span;
  signal(SIGALRM, hangs);
  countdown = 1L << 60;
  run(argv[1]);  /* what the libraries keep for ever is there now */
  run(argv[1]);
  open_before = descriptors();
  before = alive;
  for (n = 1;; n += step) {
    countdown = number = n;
    run(argv[1]);
    if (alive != before || descriptors() != open_before) {
      fprintf(stderr, "oom: allocation %ld failed: %ld allocations and %d "
              "descriptors leaked\n", n, alive - before,
              descriptors() - open_before);
      return 1;
    }
    if (countdown > 0)
      break;
  }
  printf("oom: %s: every %ld. of %ld allocations failed%s, nothing leaked\n",
         argv[1], step, n, span == 0 ? " with all that follow" : " once");
  return 0;
}
