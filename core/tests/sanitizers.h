// What AddressSanitizer and UndefinedBehaviorSanitizer are told: a plan may ask for more memory
// than there is, or than a test should take, and that is an answer, not a crash. Once in a program.
#ifndef POCKETLENS_TESTS_SANITIZERS_H
#define POCKETLENS_TESTS_SANITIZERS_H

// The sanitizers' libraries look for these; hidden ones they would not see.
#define POCKETLENS_SEEN extern "C" __attribute__((visibility("default")))

POCKETLENS_SEEN const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=64:quarantine_size_mb=16";
}
POCKETLENS_SEEN const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1";
}

#endif
