// The entry points that libFuzzer calls (llvm.org/docs/LibFuzzer.html). FRAMEPATH_FUZZ_TARGET names the target.
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Tests/Fuzz/Targets/FuzzTarget.swift
bool framepath_fuzz_select(const char *name);
void framepath_fuzz_run(const uint8_t *bytes, size_t count);

static jmp_buf before_input;
static bool assertions_are_errors;

int LLVMFuzzerInitialize(int *count, char ***arguments) {
  (void)count, (void)arguments;
  const char *name = getenv("FRAMEPATH_FUZZ_TARGET");
  assertions_are_errors = name && strcmp(name, "configuration") == 0;
  if (name && framepath_fuzz_select(name)) return 0;
  fprintf(stderr, "FRAMEPATH_FUZZ_TARGET is %s; see Tests/Fuzz/run --help\n", name ? name : "not set");
  exit(2);
}

// The TOML parser asserts what its input should be. framepathd-config ends there with an error; here it is the end of the
// input, which leaks what the parser holds.
_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function) {
  (void)function;
  if (assertions_are_errors) longjmp(before_input, 1);
  fprintf(stderr, "%s:%u: assertion failed: %s\n", file, line, assertion);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  if (setjmp(before_input) == 0) framepath_fuzz_run(bytes, count);
  return 0;
}
