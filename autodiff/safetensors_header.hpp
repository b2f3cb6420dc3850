// The JSON header of a .safetensors file: as much of JSON as the format has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/autodiff/safetensors.hpp>

namespace xgrad::safetensors {

struct Entry {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes after the header
};
struct Header {
  std::vector<Entry> entries;
  Metadata metadata;
};

// What follows in the Error about a file that nobody writes on purpose.
inline constexpr const char* corrupt_file = "; the file is corrupt, write it anew";

// Calls `fail(what)`, which throws, where the text is not a header; names are unique, and UTF-8, in what it returns.
Header parse(std::string_view text, const std::function<void(const std::string& what)>& fail);

bool is_utf8(std::string_view text);

// Spaces make the text a multiple of 8 bytes long, as the numbers that follow are to be aligned.
std::string print(const Header& header);

}  // namespace xgrad::safetensors
