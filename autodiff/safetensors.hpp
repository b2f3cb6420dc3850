// Files of named tensors (.safetensors): the format that PyTorch users exchange weights in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

struct NamedTensor {
  std::string name;
  Tensor value;
};
using NamedTensors = std::vector<NamedTensor>;
using Metadata = std::vector<std::pair<std::string, std::string>>;  // a file's notes: key and text

struct Safetensors {
  NamedTensors tensors;  // as the header lists them
  Metadata metadata;
  struct Unread {
    std::string name, dtype;
  };
  std::vector<Unread> unread;  // of dtypes that no Tensor holds
};

// Replaces the file in one step: on an Error (a full disk, say) the old one is untouched and nothing is left behind.
// The new one has the old one's mode, and is where a symbolic link leads.
void write_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata = {},
                       Source source = Source::here());

// Reads F64, F32, I64 and BOOL as they are, F16 and BF16 as f32, I32, I16, I8, U32, U16 and U8 as i64; names what has
// another dtype (U64, F8_E4M3, ...). The whole header is checked before any number is read.
Safetensors read_safetensors(const std::string& path, Source source = Source::here());

}  // namespace xgrad

#pragma GCC visibility pop
