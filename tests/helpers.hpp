// What several test programs share.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <future>
#include <string>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>

namespace helpers {

// Of an Error: its message contains `part`. For BOOST_CHECK_EXCEPTION.
inline std::function<bool(const xgrad::Error&)> says(const std::string& part) {
  return [part](const xgrad::Error& e) { return std::string(e.what()).find(part) != std::string::npos; };
}

// The line that the Error of a call names; -1: it throws none.
inline int line_of_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const xgrad::Error& e) {
    const std::string what = e.what();
    return std::stoi(what.substr(what.find(':') + 1));
  }
  return -1;
}

// Shape, dtype and every bit.
inline bool same_bits(const xgrad::Tensor& x, const xgrad::Tensor& y) {
  if (!(x.shape() == y.shape()) || x.dtype() != y.dtype()) return false;
  const xgrad::Tensor a = xgrad::contiguous(x), b = xgrad::contiguous(y);
  const auto bytes = static_cast<std::size_t>(a.numel() * xgrad::item_size(a.dtype()));
  return bytes == 0 || std::memcmp(xgrad::readable(a), xgrad::readable(b), bytes) == 0;
}

// f() on another thread. Boost's checks are not for several threads at once: workers return what they saw.
template <class F>
auto elsewhere(const F& f) {
  return std::async(std::launch::async, f).get();
}

// What `work` added to the counters.
inline xgrad::Counters during(const std::function<void()>& work) {
  const xgrad::Counters before = xgrad::counters();
  work();
  xgrad::Counters after = xgrad::counters();
  after.recorded -= before.recorded;
  after.evaluated -= before.evaluated;
  after.regions -= before.regions;
  after.pending -= before.pending;
  after.taped -= before.taped;
  after.bytes -= before.bytes;
  return after;
}

inline xgrad::Size resident_bytes() {
  long total = 0, pages = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &pages) != 2) pages = 0;
    std::fclose(f);
  }
  return static_cast<xgrad::Size>(pages) * sysconf(_SC_PAGESIZE);
}

}  // namespace helpers
