#include <xgrad/data/idx.hpp>

#include <fmt/core.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "data/checks.hpp"

namespace xgrad::data {
namespace {

struct Bytes {
  Shape shape;
  std::vector<unsigned char> values;
};

struct Close {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// zlib reads plain files as they are. Memory grows with what the file holds, not with what its header claims.
Bytes read_all(const std::string& path, Source source) {
  const auto bad = [&](const std::string& what) { fail(source.named("idx"), "{}: {}", path, what); };
  std::error_code unknown;
  if (const auto kind = std::filesystem::status(path, unknown); exists(kind) && !is_regular_file(kind))
    bad("is no file of numbers; check the path");  // a pipe would be waited for
  errno = 0;
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  if (!file) bad(fmt::format("cannot be opened ({}); check the path", std::strerror(errno)));
  const auto take = [&](void* to, unsigned n) {
    const int got = gzread(file.get(), to, n);
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (got < 0 || code == Z_DATA_ERROR || code == Z_BUF_ERROR) bad("is corrupt or cut short; fetch it again");
    return static_cast<unsigned>(got);
  };
  unsigned char head[4];
  if (take(head, 4) != 4 || head[0] != 0 || head[1] != 0) bad("is not an IDX file");
  if (head[2] != 0x08)
    bad(fmt::format("holds elements of type 0x{:02x}; only unsigned bytes (0x08) are read", head[2]));
  if (head[3] == 0) bad("has no axes");
  Bytes b;
  Size count = 1;
  for (int i = 0; i < head[3]; ++i) {
    unsigned char e[4];
    if (take(e, 4) != 4) bad("is cut short in its header");
    const Size extent = Size{e[0]} << 24 | Size{e[1]} << 16 | Size{e[2]} << 8 | Size{e[3]};
    b.shape.push_back(extent);
    if (__builtin_mul_overflow(count, extent, &count) || count > (Size{1} << 40))
      bad("claims more than memory can hold");
  }
  constexpr unsigned piece = 1 << 20;
  while (static_cast<Size>(b.values.size()) <= count) {  // one more than there should be shows what is too long
    const std::size_t have = b.values.size();
    b.values.resize(have + piece);
    const unsigned got = take(b.values.data() + have, piece);
    b.values.resize(have + got);
    if (got < piece) break;
  }
  if (static_cast<Size>(b.values.size()) < count)
    bad(fmt::format("is cut short: {} of {} bytes; fetch it again", b.values.size(), count));
  if (static_cast<Size>(b.values.size()) > count) bad(fmt::format("goes on after its {} bytes", count));
  return b;
}

Bytes read(const std::string& path, Source source) {
  return or_no_memory(source.named("idx"), path, [&] { return read_all(path, source); });
}

std::string find(const std::string& folder, const std::string& name, Source source) {
  namespace fs = std::filesystem;
  for (const fs::path& in : {fs::path(folder), fs::path(folder) / "mnist_t10k"})
    for (const char* end : {"", ".gz"})
      if (std::error_code error; fs::is_regular_file(in / (name + end), error)) return (in / (name + end)).string();
  fail(source.named("mnist"), "{} is neither in {} nor in its mnist_t10k/; check the folder", name, folder);
}

}  // namespace

Tensor idx_integers(const std::string& path, Source source) {
  const Bytes b = read(path, source);
  return filled(
      b.shape, i64, [&](void* memory) { std::copy(b.values.begin(), b.values.end(), static_cast<Size*>(memory)); },
      source);
}

Tensor idx_images(const std::string& path, Source source) {
  const Bytes b = read(path, source);
  return filled(
      b.shape, f32,
      [&](void* memory) {
        float* out = static_cast<float*>(memory);
        for (const unsigned char v : b.values) *out++ = static_cast<float>(v) / 255.0F;
      },
      source);
}

Split mnist(const std::string& folder, Source source) {
  const Located at(source, "mnist");
  Dataset all;
  all.inputs = flatten(idx_images(find(folder, "t10k-images-idx3-ubyte", source), source), 1);
  all.labels = idx_integers(find(folder, "t10k-labels-idx1-ubyte", source), source);
  if (all.inputs.shape() != Shape{10000, 784} || all.labels.shape() != Shape{10000})
    fail(source.named("mnist"), "expected 10,000 images of 784 bytes and their labels, got {} and {}",
         all.inputs.shape(), all.labels.shape());
  return split(all, 8000, source);
}

}  // namespace xgrad::data
