// The format (github.com/huggingface/safetensors): 8 bytes, little-endian: the header's length; the header, in JSON;
// the numbers, row-major and little-endian, without holes.
#include <xgrad/autodiff/safetensors.hpp>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <unordered_set>

#include <xgrad/autodiff/memory.hpp>
#include "autodiff/new_file.hpp"
#include "autodiff/safetensors_header.hpp"

namespace xgrad {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read and written as they are in memory");

constexpr std::uint64_t length_bytes = 8, longest_header = 100'000'000;  // the reference's limit
constexpr std::size_t most_axes = 64;  // written or read: no tensor that means something has more

// IEEE half: 1 sign, 5 exponent, 10 fraction bits
struct Half {
  std::uint16_t bits;
  explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16, exponent = (bits >> 10) & 31,
                        fraction = bits & 1023;
    if (exponent == 0) {
      const float size = static_cast<float>(fraction) * 0x1p-24f;
      return sign ? -size : size;
    }
    const std::uint32_t wide = exponent == 31 ? 255 : exponent + (127 - 15);
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};
struct Brain {  // the upper half of a float
  std::uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

// In place, from the back, so that a number is read before a wider one lies over it.
template <class From, class To>
void widen(void* memory, Size n) {
  auto* bytes = static_cast<char*>(memory);
  for (Size i = n; i-- > 0;) {
    From narrow;
    std::memcpy(&narrow, bytes + i * static_cast<Size>(sizeof(From)), sizeof narrow);
    const To wide = static_cast<To>(narrow);
    std::memcpy(bytes + i * static_cast<Size>(sizeof(To)), &wide, sizeof wide);
  }
}
void make_boolean(void* memory, Size n) {
  auto* bytes = static_cast<unsigned char*>(memory);
  for (Size i = 0; i < n; ++i) bytes[i] = bytes[i] != 0;
}

struct Format {
  const char* name;
  DType dtype;  // that it is read as, without a loss
  std::uint64_t bytes;
  void (*convert)(void* memory, Size n) = nullptr;  // what was read; null: it is as it should be
};
constexpr Format formats[] = {
    {"F32", f32, 4},
    {"F64", f64, 8},
    {"I64", i64, 8},
    {"BOOL", boolean, 1, make_boolean},
    {"F16", f32, 2, widen<Half, float>},
    {"BF16", f32, 2, widen<Brain, float>},
    {"I32", i64, 4, widen<std::int32_t, Size>},
    {"I16", i64, 2, widen<std::int16_t, Size>},
    {"I8", i64, 1, widen<std::int8_t, Size>},
    {"U32", i64, 4, widen<std::uint32_t, Size>},
    {"U16", i64, 2, widen<std::uint16_t, Size>},
    {"U8", i64, 1, widen<std::uint8_t, Size>},
};

const Format* format_of(std::string_view name) {
  for (const Format& f : formats)
    if (name == f.name) return &f;
  return nullptr;
}
const char* format_name(DType dtype) {
  for (const Format& f : formats)
    if (f.dtype == dtype) return f.name;
  return nullptr;
}

// An open file; closed when it goes.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  bool read(void* bytes, std::size_t n, std::uint64_t from) {
    for (char* at = static_cast<char*>(bytes); n > 0;) {
      const ssize_t done = ::pread(fd_, at, std::min(n, most_at_once), static_cast<off_t>(from));
      if (done < 0 && errno == EINTR) continue;
      if (done == 0) errno = 0;  // the file has become shorter
      if (done <= 0) return false;
      at += done;
      from += static_cast<std::uint64_t>(done);
      n -= static_cast<std::size_t>(done);
    }
    return true;
  }

 private:
  static constexpr std::size_t most_at_once = 1u << 30;
  int fd_;
};

// What another program's file is, by its first bytes; "": nothing that we know.
const char* other_format(std::uint64_t first_bytes) {
  const auto byte = [&](int i) { return first_bytes >> 8 * i & 0xFF; };
  if (byte(0) == 'P' && byte(1) == 'K' && byte(2) == 3 && byte(3) == 4) return "a zip archive, PyTorch's own format";
  if (byte(0) == 0x80 && byte(1) >= 2 && byte(1) <= 5) return "a pickle, PyTorch's old format";
  return "";
}

// As the header has it: an extent may be more than a Size holds.
std::string shown(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", extent);
  return fmt::format("({}{})", text, shape.size() == 1 ? "," : "");
}

std::string reason() { return errno ? std::strerror(errno) : "the file ends early"; }

}  // namespace

void write_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata,
                       Source source) try {
  const auto broken = [&](const std::string& what) { fail(source.named("write_safetensors"), "{}: {}", path, what); };

  // Wide numbers first, so that each is aligned.
  const auto check_text = [&](const std::string& text) {
    if (!safetensors::is_utf8(text)) broken("a name or note is not UTF-8, so no reader would take the file; rename it");
  };
  std::vector<const NamedTensor*> order;
  std::unordered_set<std::string_view> names, keys;
  for (const auto& [key, text] : metadata) {
    if (!keys.insert(key).second) broken(fmt::format("the metadata key {} is there twice; leave one out", key));
    check_text(key);
    check_text(text);
  }
  for (const NamedTensor& t : tensors) {
    if (!t.value.defined()) broken(fmt::format("{} is an empty Tensor; leave it out", t.name));
    if (t.name == "__metadata__" || !names.insert(t.name).second)
      broken(
          fmt::format("the name {} is {}; rename it", t.name, t.name == "__metadata__" ? "reserved" : "there twice"));
    check_text(t.name);
    if (t.value.shape().size() > most_axes)
      broken(fmt::format("{} has {} axes, and files hold at most {}; reshape it", t.name, t.value.shape().size(),
                         most_axes));
    order.push_back(&t);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return item_size(a->value.dtype()) > item_size(b->value.dtype());
  });

  safetensors::Header header{{}, metadata};
  std::uint64_t end = 0;
  for (const NamedTensor* t : order) {
    const std::uint64_t begin = end;
    end += static_cast<std::uint64_t>(t->value.numel() * item_size(t->value.dtype()));
    header.entries.push_back(
        {t->name, format_name(t->value.dtype()), {t->value.shape().begin(), t->value.shape().end()}, begin, end});
  }
  const std::string text = safetensors::print(header);
  if (text.size() > longest_header) broken("the names need a header that is longer than the format allows");

  NewFile file(path, "write_safetensors", source);
  const std::uint64_t length = text.size();
  file.write(&length, length_bytes);
  file.write(text.data(), text.size());
  for (const NamedTensor* t : order) {
    const Tensor dense = contiguous(t->value, source);
    if (dense.numel() > 0)
      file.write(readable(dense, source), static_cast<std::size_t>(dense.numel() * item_size(dense.dtype())));
  }
  file.commit();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "write_safetensors");
}

Safetensors read_safetensors(const std::string& path, Source source) try {
  const auto broken = [&](const std::string& what) { fail(source.named("read_safetensors"), "{}: {}", path, what); };
  const auto corrupt = [&](const std::string& what) { broken(what + safetensors::corrupt_file); };

  File file(path, O_RDONLY | O_NONBLOCK);  // a pipe is refused, not waited for
  struct stat found;
  if (!file.open() || ::fstat(file.fd(), &found) != 0) broken(fmt::format("cannot open: {}; check the path", reason()));
  if (!S_ISREG(found.st_mode)) broken("this is not a file of numbers; check the path");
  const auto size = static_cast<std::uint64_t>(found.st_size);
  const auto get = [&](void* to, std::uint64_t n, std::uint64_t from) {
    if (!file.read(to, static_cast<std::size_t>(n), from)) broken(fmt::format("reading failed: {}", reason()));
  };

  std::uint64_t length = 0;
  if (size < length_bytes) corrupt(fmt::format("{} bytes are too few for a .safetensors file", size));
  get(&length, length_bytes, 0);
  const bool fits = length <= longest_header && length <= size - length_bytes;
  std::string text(fits ? static_cast<std::size_t>(length) : 0, '\0');
  get(text.data(), text.size(), length_bytes);
  char first = '{';  // of a header, which may be cut off
  if (size > length_bytes) get(&first, 1, length_bytes);
  if (const char* other = other_format(length); *other && first != '{')
    broken(
        fmt::format("this is {}; in Python, safetensors.torch.save_file(model.state_dict(), path) writes a "
                    ".safetensors file",
                    other));
  if (!fits) corrupt(fmt::format("a header of {} bytes does not fit in a file of {}", length, size));
  safetensors::Header header = safetensors::parse(text, broken);

  const std::uint64_t start = length_bytes + length, bytes = size - start;
  std::vector<const safetensors::Entry*> order;
  std::vector<Shape> shapes;
  for (const safetensors::Entry& e : header.entries) {
    if (e.shape.size() > most_axes)
      corrupt(fmt::format("{} has {} axes, more than {}", e.name, e.shape.size(), most_axes));
    Size n = 1;
    bool none = false, overflow = false;
    Shape shape;
    for (const std::uint64_t extent : e.shape) {
      if (extent > static_cast<std::uint64_t>(std::numeric_limits<Size>::max())) overflow = true;
      none |= extent == 0;
      overflow |= __builtin_mul_overflow(n, static_cast<Size>(std::max(extent, std::uint64_t{1})), &n);
      shape.push_back(static_cast<Size>(extent));
    }
    const Format* format = format_of(e.dtype);
    std::uint64_t needed = e.end - e.begin;  // where the dtype is none that we know
    if (format) overflow |= __builtin_mul_overflow(static_cast<std::uint64_t>(n), format->bytes, &needed);
    if (overflow) corrupt(fmt::format("{} has the shape {}, more than memory holds", e.name, shown(e.shape)));
    if (format && none) needed = 0;
    if (e.begin > e.end || e.end > bytes || e.end - e.begin != needed)
      corrupt(fmt::format("{} has {} of shape {}, {} bytes, at {} ... {} of {}", e.name, e.dtype, shape, needed,
                          e.begin, e.end, bytes));
    shapes.push_back(std::move(shape));
    order.push_back(&e);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->begin != b->begin ? a->begin < b->begin : a->end < b->end; });
  std::uint64_t end = 0;
  for (const safetensors::Entry* e : order) {
    if (e->begin != end)
      corrupt(fmt::format("{} begins at byte {}, where {} was expected: tensors overlap or leave a hole", e->name,
                          e->begin, end));
    end = e->end;
  }
  if (end != bytes) corrupt(fmt::format("{} bytes follow the last tensor", bytes - end));

  Safetensors made;
  made.metadata = std::move(header.metadata);
  for (std::size_t i = 0; i < header.entries.size(); ++i) {
    const safetensors::Entry& e = header.entries[i];
    const Format* format = format_of(e.dtype);
    if (!format) {
      made.unread.push_back({e.name, e.dtype});
      continue;
    }
    const auto read = [&](void* memory) {
      get(memory, e.end - e.begin, start + e.begin);
      if (format->convert) format->convert(memory, shapes[i].numel());
    };
    made.tensors.push_back({e.name, filled(shapes[i], format->dtype, read, source)});
  }
  return made;
} catch (const std::bad_alloc&) {
  fail(source.named("read_safetensors"), "{}: memory does not hold its header", path);
}

}  // namespace xgrad
