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

namespace xgrad::engine {

// AVX2 is there, and XGRAD_CODE=off does not say that there shall be none. The answer is that of the first call.
inline bool code_wanted() {
#define XGRAD_NUMBER(arch) arch,
  enum : int { XGRAD_ARCHES(XGRAD_NUMBER) };
#undef XGRAD_NUMBER
  static const bool wanted = [] {
    const char* says = std::getenv("XGRAD_CODE");
    return arch_in_use() >= avx2 && !(says && std::string_view(says) == "off");
  }();
  return wanted;
}

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
