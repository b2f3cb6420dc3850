#include <xgrad/data/text.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <new>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include "data/checks.hpp"
#include "data/whole_file.hpp"

namespace xgrad::data {
namespace {

bool is_byte_after(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The bytes of the code point that begins here: 1 where it is none.
std::size_t code_point(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 1
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 1;
  if (length > text.size()) return 1;
  for (std::size_t i = 1; i < length; ++i)
    if (!is_byte_after(text[i])) return 1;
  return length;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' ||
         static_cast<unsigned char>(c) >= 0x80;
}

template <class F>
void each_character(std::string_view text, const F& f) {
  while (!text.empty()) {
    const std::size_t n = code_point(text);
    f(text.substr(0, n));
    text.remove_prefix(n);
  }
}

void make_lower(std::string& word) {
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class F>
void each_word(std::string_view text, bool lower, const F& f) {
  std::string word;
  for (std::size_t i = 0; i < text.size();) {
    if (is_blank(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_in_word(text[end])) ++end;
    end = std::max(end, i + 1);
    word.assign(text.substr(i, end - i));
    if (lower) make_lower(word);
    f(std::string_view(word));
    i = end;
  }
}

std::map<std::string, Size, std::less<>> counted(std::string_view text, bool words, bool lower) {
  std::map<std::string, Size, std::less<>> count;
  const auto add = [&](std::string_view token) {
    const auto found = count.find(token);
    if (found == count.end()) count.emplace(token, 1);
    else ++found->second;
  };
  if (words) each_word(text, lower, add);
  else each_character(text, add);
  return count;
}

}  // namespace

std::string read_text(const std::string& path, Source source) {
  return with_memory("read_text", source, [&] { return whole_file("read_text", path, source); });
}

Vocabulary Vocabulary::characters(std::string_view text, Source source) {
  return with_memory("Vocabulary", source, [&] {
    Vocabulary made;
    for (const auto& [token, count] : counted(text, false, false)) {
      made.tokens_.push_back(token);
      made.counts_.push_back(count);
    }
    made.sort();
    return made;
  });
}

Vocabulary Vocabulary::words(std::string_view text, const WordOptions& options, Source source) {
  if (options.min_count < 1 || options.most < 0)
    fail(source.named("Vocabulary"), "expected a min_count of 1 or more and a `most` of 0 or more, got {} and {}",
         options.min_count, options.most);
  return with_memory("Vocabulary", source, [&] {
    Vocabulary made;
    made.words_ = true;
    made.lower_ = options.lower;
    std::vector<std::pair<Size, std::string>> by_count;  // - count: the most frequent come first
    Size rest = 0;
    for (const auto& [token, count] : counted(text, true, options.lower)) {
      if (count >= options.min_count && token != options.unknown) by_count.push_back({-count, token});
      else rest += count;
    }
    std::sort(by_count.begin(), by_count.end());
    if (options.most > 0)
      while (static_cast<Size>(by_count.size()) > options.most) {
        rest -= by_count.back().first;
        by_count.pop_back();
      }
    if (!options.unknown.empty()) {
      made.unknown_ = 0;
      made.tokens_.push_back(options.unknown);
      made.counts_.push_back(rest);
    }
    for (const auto& [count, token] : by_count) {
      made.tokens_.push_back(token);
      made.counts_.push_back(-count);
    }
    made.sort();
    return made;
  });
}

Vocabulary Vocabulary::of_tokens(std::vector<std::string> tokens, const TokenOptions& options, Source source) {
  return with_memory("Vocabulary", source, [&] {
    Vocabulary made;
    made.words_ = options.words;
    made.lower_ = options.words && options.lower;
    made.tokens_ = std::move(tokens);
    made.counts_.resize(made.tokens_.size());
    made.sort();
    const auto token = [&](Size code) -> const std::string& { return made.tokens_[static_cast<std::size_t>(code)]; };
    const auto twice = std::adjacent_find(made.by_token_.begin(), made.by_token_.end(),
                                          [&](Size a, Size b) { return token(a) == token(b); });
    if (twice != made.by_token_.end())
      fail(source.named("Vocabulary"), "expected tokens that differ, got '{}' twice, as {} and {}; leave one out",
           token(*twice), std::min(twice[0], twice[1]), std::max(twice[0], twice[1]));
    if (!made.by_token_.empty() && token(made.by_token_[0]).empty())
      fail(source.named("Vocabulary"), "expected tokens of one byte or more, got an empty one as {}; leave it out",
           made.by_token_[0]);
    if (!options.unknown.empty()) {
      const auto at = std::find(made.tokens_.begin(), made.tokens_.end(), options.unknown);
      if (at == made.tokens_.end())
        fail(source.named("Vocabulary"), "expected the unknown, '{}', among the tokens; add it to them",
             options.unknown);
      made.unknown_ = at - made.tokens_.begin();
    }
    return made;
  });
}

void Vocabulary::sort() {
  by_token_.resize(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) by_token_[i] = static_cast<Size>(i);
  std::sort(by_token_.begin(), by_token_.end(), [&](Size a, Size b) {
    return tokens_[static_cast<std::size_t>(a)] < tokens_[static_cast<std::size_t>(b)];
  });
}

Size Vocabulary::find(std::string_view token) const {
  const auto at = std::lower_bound(by_token_.begin(), by_token_.end(), token, [&](Size code, std::string_view wanted) {
    return std::string_view(tokens_[static_cast<std::size_t>(code)]) < wanted;
  });
  if (at != by_token_.end() && tokens_[static_cast<std::size_t>(*at)] == token) return *at;
  std::string lower;
  if (lower_) lower = token, make_lower(lower);
  return lower_ && lower != token ? find(lower) : -1;
}

bool Vocabulary::has(std::string_view token) const { return find(token) >= 0; }

Size Vocabulary::code(std::string_view token, Source source) const {
  const Size found = find(token);
  if (found >= 0) return found;
  if (unknown_ < 0)
    fail(source.named("Vocabulary"),
         "'{}' is not in the vocabulary; make it with {{.unknown = \"<unk>\"}}, or of all the text", token);
  return unknown_;
}

Tensor Vocabulary::encode(std::string_view text, Source source) const try {
  std::vector<Size> codes;
  const auto add = [&](std::string_view token) { codes.push_back(code(token, source)); };
  if (words_) each_word(text, lower_, add);
  else each_character(text, add);
  return tensor(codes, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "Vocabulary");
}

std::string Vocabulary::decode(const Tensor& codes, Source source) const try {
  if (codes.dtype(source.named("Vocabulary")) != i64)
    fail(source.named("Vocabulary"), "expected codes as i64, got {}", name(codes.dtype()));
  std::string text;
  for (const Size code : codes.to_vector<Size>(source.named("Vocabulary"))) {
    if (code < 0 || code >= size()) fail(source.named("Vocabulary"), "expected codes below {}, got {}", size(), code);
    if (words_ && !text.empty()) text += ' ';
    text += tokens_[static_cast<std::size_t>(code)];
  }
  return text;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "Vocabulary");
}

Dataset windows(const Tensor& codes, WindowOptions options, Source source) {
  const Size length = options.length, stride = options.stride == 0 ? length : options.stride;
  if (codes.dtype(source.named("windows")) != i64 || codes.dim() != 1)
    fail(source.named("windows"), "expected codes as i64 [n], got {} {}", name(codes.dtype()), codes.shape());
  if (length < 1 || stride < 1)
    fail(source.named("windows"), "expected a length and a stride of 1 or more, got {} and {}", length, stride);
  const Size all = codes.numel();
  if (all < length + 1)
    fail(source.named("windows"), "{} codes are too few for a window of {} and what comes next", all, length);
  const Size count = (all - length - 1) / stride + 1;
  const Tensor dense = contiguous(codes.detach(source.named("windows")), source.named("windows"));
  const auto* from = static_cast<const Size*>(readable(dense));
  const auto made = [&](Size shift) {
    return filled(
        Shape{count, length}, i64,
        [&](void* memory) {
          auto* out = static_cast<Size*>(memory);
          for (Size i = 0; i < count; ++i) out = std::copy_n(from + i * stride + shift, length, out);
        },
        source, "windows");
  };
  return {made(0), made(1)};
}

}  // namespace xgrad::data
