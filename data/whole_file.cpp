#include "data/whole_file.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace xgrad::data {

std::string whole_file(const char* op, const std::string& path, Source source) {
  const auto bad = [&](const std::string& what) { fail(source.named(op), "{}: {}", path, what); };
  std::error_code unknown;
  if (const auto kind = std::filesystem::status(path, unknown); exists(kind) && !is_regular_file(kind))
    bad("is no file; check the path");  // a pipe would be waited for
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) bad(fmt::format("cannot be opened ({}); check the path", std::strerror(errno)));
  std::string bytes;
  constexpr std::size_t piece = 1 << 20;
  for (std::size_t got = piece; got == piece;) {
    const std::size_t have = bytes.size();
    bytes.resize(have + piece);
    got = std::fread(bytes.data() + have, 1, piece, file.get());
    bytes.resize(have + got);
  }
  if (std::ferror(file.get())) bad(fmt::format("cannot be read ({})", std::strerror(errno)));
  return bytes;
}

}  // namespace xgrad::data
