// States of optimizers: compared, and in files.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include <xgrad/autodiff/safetensors.hpp>
#include "helpers.hpp"

namespace states {

// Names, and every bit.
inline bool same(const xgrad::NamedTensors& x, const xgrad::NamedTensors& y) {
  bool same = x.size() == y.size();
  for (std::size_t i = 0; same && i < x.size(); ++i)
    same = x[i].name == y[i].name && helpers::same_bits(x[i].value, y[i].value);
  return same;
}

// A file in the system's folder for such, which goes at the end.
struct TemporaryFile {
  const std::string path = (std::filesystem::temp_directory_path() / ("xgrad_" + std::to_string(getpid()))).string();
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path); }
};

}  // namespace states
