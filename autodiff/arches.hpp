// The instruction sets that kernels are compiled for, the least first: listed here, and nowhere else. cmake/xgrad_library.cmake
// reads the lists, and adds the flags. Private to the libraries.
#pragma once

#pragma GCC visibility push(default)  // what the library exports

// EACH(name, more...) for each.
#if defined(__x86_64__)
#define XGRAD_ARCHES(EACH, ...) \
  EACH(sse2 __VA_OPT__(, ) __VA_ARGS__) EACH(avx2 __VA_OPT__(, ) __VA_ARGS__) EACH(avx512 __VA_OPT__(, ) __VA_ARGS__)
#else
#define XGRAD_ARCHES(EACH, ...) EACH(native __VA_OPT__(, ) __VA_ARGS__)
#endif

namespace xgrad {

#define XGRAD_NUMBER(arch) arch,
enum Arch : int { XGRAD_ARCHES(XGRAD_NUMBER) };
#undef XGRAD_NUMBER

// Which of them is in use: its number in the list.
int arch_in_use();

}  // namespace xgrad

#pragma GCC visibility pop
