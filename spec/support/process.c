/* SPDX-License-Identifier: MIT
**
** process.c - what specs need of the system and Lua does not have.
**
** fork, signals, threads, descriptors by number: nothing that a script
** with uring should do itself.
*/

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

__attribute__((visibility("default"))) int luaopen_spec_process(lua_State *L);

static int check(lua_State *L, int rc, const char *call) {
  if (rc < 0)
    return luaL_error(L, "%s: %s", call, strerror(errno));
  lua_pushinteger(L, rc);
  return 1;
}

/* process.fork() -> 0 in the child, its id in the parent */
static int l_fork(lua_State *L) {
  fflush(NULL);
  return check(L, fork(), "fork");
}

/* process.wait(pid) -> exit status, or 128 + signal */
static int l_wait(lua_State *L) {
  int status = 0;
  check(L, waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0), "waitpid");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 128 + WTERMSIG(status));
  return 1;
}

/* process.exit(status); at once, without closing anything */
static int l_exit(lua_State *L) {
  int status = (int)luaL_optinteger(L, 1, 0);
  fflush(NULL);
  _exit(status);
}

static int l_pid(lua_State *L) { return check(L, getpid(), "getpid"); }

/* process.kill(pid, signal) */
static int l_kill(lua_State *L) {
  return check(L, kill((pid_t)luaL_checkinteger(L, 1),
                       (int)luaL_checkinteger(L, 2)), "kill");
}

/* process.ignore(signal) */
static int l_ignore(lua_State *L) {
  signal((int)luaL_checkinteger(L, 1), SIG_IGN);
  return 0;
}

/* ---- signals ------------------------------------------------------------ */

static volatile sig_atomic_t caught;

static void on_signal(int number) {
  (void)number;
  caught++;
}

/* process.catch(signal); from now on it is counted, and interrupts calls */
static int l_catch(lua_State *L) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  caught = 0;
  return check(L, sigaction((int)luaL_checkinteger(L, 1), &action, NULL),
               "sigaction");
}

/* process.caught() -> how many there were since process.catch */
static int l_caught(lua_State *L) { return check(L, caught, "caught"); }

static struct timeval timeval(double seconds) {
  double whole = (double)(time_t)seconds;
  return (struct timeval){
    .tv_sec = (time_t)whole,
    .tv_usec = (suseconds_t)((seconds - whole) * 1e6)
  };
}

/*
** process.alarm(seconds [, interval]); SIGALRM after that time, and then at
** each interval; 0 for none
*/
static int l_alarm(lua_State *L) {
  struct itimerval t;
  t.it_value = timeval(luaL_checknumber(L, 1));
  t.it_interval = timeval(luaL_optnumber(L, 2, 0));
  return check(L, setitimer(ITIMER_REAL, &t, NULL), "setitimer");
}

/* ---- threads ------------------------------------------------------------ */

typedef struct Call {
  lua_State *L;
  int status;
} Call;

static void *run_call(void *data) {
  Call *call = data;
  call->status = lua_pcall(call->L, lua_gettop(call->L) - 1, LUA_MULTRET, 0);
  return NULL;
}

/*
** process.thread(f, ...) -> what f returns; raises what it raises
** Another thread runs it, while this one waits for that.
*/
static int l_thread(lua_State *L) {
  Call call = {L, LUA_OK};
  pthread_t thread;
  int rc = pthread_create(&thread, NULL, run_call, &call);
  if (rc != 0)
    return luaL_error(L, "pthread_create: %s", strerror(rc));
  pthread_join(thread, NULL);
  return call.status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* ---- descriptors, files ------------------------------------------------- */

/* process.close(fd) -> 0, or -1 when it was not open */
static int l_close(lua_State *L) {
  lua_pushinteger(L, close((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* process.dup2(fd, as) -> as */
static int l_dup2(lua_State *L) {
  return check(L, dup2((int)luaL_checkinteger(L, 1),
                       (int)luaL_checkinteger(L, 2)), "dup2");
}

/* process.descriptors() -> {[fd] = what it is} */
static int l_descriptors(lua_State *L) {
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *e;
  if (dir == NULL)
    return check(L, -1, "/proc/self/fd");
  lua_newtable(L);
  while ((e = readdir(dir)) != NULL) {
    char target[256];
    int fd = atoi(e->d_name);
    ssize_t n;
    if (e->d_name[0] == '.' || fd == dirfd(dir))
      continue;
    n = readlinkat(dirfd(dir), e->d_name, target, sizeof target);
    lua_pushlstring(L, target, n > 0 ? (size_t)n : 0);
    lua_rawseti(L, -2, fd);
  }
  closedir(dir);
  return 1;
}

/* process.mkdtemp() -> path */
static int l_mkdtemp(lua_State *L) {
  char path[] = "/tmp/uring-spec-XXXXXX";
  if (mkdtemp(path) == NULL)
    return check(L, -1, "mkdtemp");
  lua_pushstring(L, path);
  return 1;
}

static int unlink_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw) {
  (void)st; (void)type; (void)ftw;
  return remove(path);
}

/* process.rmtree(path) */
static int l_rmtree(lua_State *L) {
  return check(L, nftw(luaL_checkstring(L, 1), unlink_one, 16,
                       FTW_DEPTH | FTW_PHYS), "rmtree");
}

/* process.cputime() -> seconds that this process has used */
static int l_cputime(lua_State *L) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
  return 1;
}

/* process.limit_files(n) -> the limit before */
static int l_limit_files(lua_State *L) {
  struct rlimit lim;
  getrlimit(RLIMIT_NOFILE, &lim);
  lua_pushinteger(L, (lua_Integer)lim.rlim_cur);
  lim.rlim_cur = (rlim_t)luaL_checkinteger(L, 1);
  if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
    return check(L, -1, "setrlimit");
  return 1;
}

/* ---- memory ------------------------------------------------------------- */

/* process.protect(address, size, usable); whole pages of memory */
static int l_protect(lua_State *L) {
  void *address = (void *)(uintptr_t)luaL_checkinteger(L, 1);
  size_t size = (size_t)luaL_checkinteger(L, 2);
  int how = lua_toboolean(L, 3) ? PROT_READ | PROT_WRITE : PROT_NONE;
  return check(L, mprotect(address, size, how), "mprotect");
}

/*
** process.map(address, size [, fd]); the pages become those of a file, or new
** ones without it
*/
static int l_map(lua_State *L) {
  void *address = (void *)(uintptr_t)luaL_checkinteger(L, 1);
  size_t size = (size_t)luaL_checkinteger(L, 2);
  int fd = (int)luaL_optinteger(L, 3, -1);
  int how = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  void *p = mmap(address, size, PROT_READ | PROT_WRITE, how, fd, 0);
  return check(L, p == MAP_FAILED ? -1 : 0, "mmap");
}

/* process.lock_memory(); what it has so far stays resident */
static int l_lock_memory(lua_State *L) {
  return check(L, mlockall(MCL_CURRENT), "mlockall");
}

/* ---- memory that runs out ----------------------------------------------- */

static lua_Alloc real_alloc;
static long allocations_left = -1;  /* before each one fails; -1 for none */

/* Lua tries again after a collection, so one failure is not enough. */
static void *failing_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  if (nsize > (ptr ? osize : 0) && allocations_left >= 0) {
    if (allocations_left == 0)
      return NULL;
    allocations_left--;
  }
  return real_alloc(ud, ptr, osize, nsize);
}

/*
** process.starve(n, f, ...) -> what pcall returns, and whether memory ran out
** Calls f, and from the n-th allocation of Lua on there is no memory.
*/
static int l_starve(lua_State *L) {
  void *ud;
  long n = (long)luaL_checkinteger(L, 1);
  int status;
  real_alloc = lua_getallocf(L, &ud);
  lua_remove(L, 1);
  lua_setallocf(L, failing_alloc, ud);
  allocations_left = n;
  status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
  n = allocations_left;
  allocations_left = -1;
  lua_setallocf(L, real_alloc, ud);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, -2);
  lua_pushboolean(L, n == 0);
  return 3;
}

static const luaL_Reg functions[] = {
  {"alarm", l_alarm},
  {"catch", l_catch},
  {"caught", l_caught},
  {"close", l_close},
  {"cputime", l_cputime},
  {"descriptors", l_descriptors},
  {"dup2", l_dup2},
  {"exit", l_exit},
  {"fork", l_fork},
  {"ignore", l_ignore},
  {"kill", l_kill},
  {"limit_files", l_limit_files},
  {"lock_memory", l_lock_memory},
  {"map", l_map},
  {"mkdtemp", l_mkdtemp},
  {"pid", l_pid},
  {"protect", l_protect},
  {"rmtree", l_rmtree},
  {"starve", l_starve},
  {"thread", l_thread},
  {"wait", l_wait},
  {NULL, NULL}
};

int luaopen_spec_process(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
