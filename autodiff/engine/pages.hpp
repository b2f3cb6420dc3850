// Memory that holds machine code.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "autodiff/arches.hpp"
#include "autodiff/kernels/kernels.hpp"
#include "autodiff/kernels/x86.hpp"

namespace xgrad::engine {

// When code is made: XGRAD_CODE=off|always, where AVX2 is there; else where it is worth it. The answer is that of the first call.
enum class CodeWhen { never, worth, always };
#if defined(__x86_64__)
inline kernels::x86::Width code_width() {
  return arch_in_use() >= Arch::avx512 ? kernels::x86::Width::bits_512 : kernels::x86::Width::bits_256;
}
inline CodeWhen code_when() {
  static const CodeWhen when = [] {
    const char* const variable = std::getenv("XGRAD_CODE");
    const std::string_view says = variable ? variable : "";
    return arch_in_use() < Arch::avx2 || says == "off" ? CodeWhen::never
           : says == "always"                          ? CodeWhen::always
                                                       : CodeWhen::worth;
  }();
  return when;
}
#else
inline CodeWhen code_when() { return CodeWhen::never; }  // it is written for x86-64 alone
#endif

// Never written and run at the same time. Null where the system forbids new code.
struct Pages {
  void* memory = nullptr;
  std::size_t bytes = 0;

  explicit Pages(const std::vector<std::uint8_t>& code) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    bytes = (code.size() + page - 1) / page * page;
    void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    std::memcpy(at, code.data(), code.size());
    if (mprotect(at, bytes, PROT_READ | PROT_EXEC) == 0) memory = at;
    else munmap(at, bytes);
  }
  Pages(const Pages&) = delete;
  ~Pages() {
    if (memory) munmap(memory, bytes);
  }
};

}  // namespace xgrad::engine
