#include "autodiff/safetensors_header.hpp"

#include <fmt/core.h>

#include <unordered_set>

namespace xgrad::safetensors {
namespace {

using Fail = std::function<void(const std::string&)>;

class Parser {
 public:
  Parser(std::string_view text, const Fail& fail) : text_(text), fail_(fail) {}

  Header header() {
    Header made;
    members([&](std::string name) {
      if (name == "__metadata__") {
        members([&](std::string key) { made.metadata.emplace_back(std::move(key), string()); });
      } else {
        made.entries.push_back(entry(std::move(name)));
      }
    });
    blank();
    if (at_ != text_.size()) broken("the end");
    return made;
  }

 private:
  // {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
  Entry entry(std::string name) {
    Entry made;
    int found = 0;
    members([&](const std::string& key) {
      ++found;
      if (key == "dtype") {
        made.dtype = string();
      } else if (key == "shape") {
        made.shape = numbers();
      } else if (key == "data_offsets") {
        const std::vector<std::uint64_t> offsets = numbers();
        if (offsets.size() != 2) corrupt(fmt::format("{} has {} data_offsets, not 2", name, offsets.size()));
        made.begin = offsets[0];
        made.end = offsets[1];
      } else {
        fail_(fmt::format("{} has the key \"{}\", which the format has not; leave it out, or put it into __metadata__",
                          name, key));
      }
    });
    if (found != 3) corrupt(fmt::format("{} has no dtype, shape or data_offsets", name));
    made.name = std::move(name);
    return made;
  }

  // An object; `member(key)` reads the value. A key that comes twice is an error.
  template <class F>
  void members(const F& member) {
    std::unordered_set<std::string> keys;
    expect('{');
    if (accept('}')) return;
    do {
      std::string key = string();
      if (!keys.insert(key).second) corrupt(fmt::format("{} is there twice", key));
      expect(':');
      member(std::move(key));
    } while (accept(','));
    expect('}');
  }

  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> made;
    expect('[');
    if (accept(']')) return made;
    do made.push_back(number());
    while (accept(','));
    expect(']');
    return made;
  }

  std::uint64_t number() {
    blank();
    const std::size_t start = at_;
    std::uint64_t n = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (__builtin_mul_overflow(n, std::uint64_t{10}, &n) ||
          __builtin_add_overflow(n, static_cast<std::uint64_t>(text_[at_] - '0'), &n))
        corrupt(fmt::format("the number at byte {} has too many digits", start));
    }
    if (at_ == start) broken("a whole number");
    return n;
  }

  std::string string() {
    std::string made;
    expect('"');
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_++];
      if (static_cast<unsigned char>(c) < 0x20) broken("a character");
      if (c == '\\') escaped(made);
      else made += c;
    }
    if (at_ == text_.size()) broken("a closing quote");
    if (!is_utf8(made)) corrupt(fmt::format("the name or note before byte {} of the header is not UTF-8", at_));
    ++at_;
    return made;
  }

  void escaped(std::string& to) {
    static constexpr std::string_view letters = "\"\\/bfnrt", meaning = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) broken("an escape");
    const char c = text_[at_++];
    if (const std::size_t i = letters.find(c); i != std::string_view::npos) to += meaning[i];
    else if (c == 'u') append_utf8(to, unicode());
    else broken("an escape");
  }

  std::uint32_t unicode() {
    const std::uint32_t high = hex4();
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || text_.substr(at_, 2) != "\\u") broken("the second half of a character");
    at_ += 2;
    const std::uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) broken("the second half of a character");
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }

  std::uint32_t hex4() {
    std::uint32_t n = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = at_ < text_.size() ? text_[at_] : 0;
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) broken("four hexadecimal digits");
      n = n * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    return n;
  }

  static void append_utf8(std::string& to, std::uint32_t c) {
    const auto tail = [&](int shift) { to += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
    if (c < 0x80) {
      to += static_cast<char>(c);
    } else if (c < 0x800) {
      to += static_cast<char>(0xC0 | (c >> 6));
      tail(0);
    } else if (c < 0x10000) {
      to += static_cast<char>(0xE0 | (c >> 12));
      tail(6);
      tail(0);
    } else {
      to += static_cast<char>(0xF0 | (c >> 18));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  void blank() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool accept(char c) {
    blank();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) broken(std::string(1, c));
  }
  void corrupt(const std::string& what) const { fail_(what + corrupt_file); }
  void broken(const std::string& expected) const {
    corrupt(fmt::format("the header is not what JSON is: expected {} at byte {}", expected, at_));
  }

  std::string_view text_;
  const Fail& fail_;
  std::size_t at_ = 0;
};

std::string quoted(const std::string& text) {
  std::string made = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (made += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) made += fmt::format("\\u{:04x}", static_cast<int>(c));
    else made += c;
  }
  return made + '"';
}

}  // namespace

Header parse(std::string_view text, const Fail& fail) { return Parser(text, fail).header(); }

// RFC 3629: a first byte that says how many follow, no longer form than is needed, no half of a surrogate pair
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u; };
    const unsigned first = byte(0);
    const unsigned follow = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : (first & 0xF0) == 0xE0 ? 2 : 3;
    if (follow == 3 && (first < 0xF0 || first > 0xF4)) return false;
    for (unsigned k = 1; k <= follow; ++k)
      if ((byte(k) & 0xC0) != 0x80) return false;
    const unsigned second = byte(1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F))
      return false;
    i += 1 + follow;
  }
  return true;
}

std::string print(const Header& header) {
  std::string text = "{";
  const auto next = [&](const std::string& key) {
    if (text.size() > 1) text += ',';
    text += quoted(key) + ':';
  };
  if (!header.metadata.empty()) {
    next("__metadata__");
    char before = '{';
    for (const auto& [key, value] : header.metadata) {
      text += before + quoted(key) + ':' + quoted(value);
      before = ',';
    }
    text += '}';
  }
  for (const Entry& e : header.entries) {
    next(e.name);
    std::string shape;
    for (const std::uint64_t extent : e.shape) shape += fmt::format("{}{}", shape.empty() ? "" : ",", extent);
    text += fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", e.dtype, shape, e.begin, e.end);
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace xgrad::safetensors
