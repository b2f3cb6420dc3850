// Text as numbers: a vocabulary of characters or words, and windows of it to train on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

std::string read_text(const std::string& path, Source source = Source::here());  // a file's bytes

struct WordOptions {
  Size min_count = 1;  // rarer words are unknown
  Size most = 0;       // so many words, the most frequent; 0: all
  bool lower = true;   // letters A to Z count as a to z
  std::string unknown =
      "";  // "<unk>": the word, the first of all, that stands for what is not there; "": such is an Error
};

struct TokenOptions {
  bool words = true;         // else characters
  bool lower = true;         // of words: letters A to Z of a text count as a to z
  std::string unknown = "";  // the one of the tokens that stands for what is not there; "": such is an Error
};

// Tokens by number, and back.
class Vocabulary {
 public:
  // The characters (code points of UTF-8; a byte that belongs to none is one) that the text has, in their order.
  static Vocabulary characters(std::string_view text, Source source = Source::here());
  // Its words, the most frequent first, equals by the alphabet. A word is a run of letters, digits, ' and of what is not ASCII;
  // each other character that is no blank is a word alone.
  static Vocabulary words(std::string_view text, const WordOptions& options = {}, Source source = Source::here());

  // Of the tokens() of another, kept in a file, say: with the options that were its own it encodes and decodes as that one
  // does. counts() are 0. A token that comes twice, an empty one, and an `unknown` that is none of them are Errors.
  static Vocabulary of_tokens(std::vector<std::string> tokens, const TokenOptions& options = {},
                              Source source = Source::here());

  Size size() const { return static_cast<Size>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Size>& counts() const { return counts_; }  // how often each token was there
  Size code(std::string_view token,
            Source source = Source::here()) const;  // of a token that is not there: that of `unknown`, or an Error
  bool has(std::string_view token) const;

  Tensor encode(std::string_view text, Source source = Source::here()) const;     // i64 [tokens]
  std::string decode(const Tensor& codes, Source source = Source::here()) const;  // words are put together with blanks

 private:
  Size find(std::string_view token) const;  // -1: not there
  void sort();
  std::vector<std::string> tokens_;
  std::vector<Size> counts_, by_token_;  // codes in the order of their tokens
  bool words_ = false, lower_ = false;
  Size unknown_ = -1;
};

struct WindowOptions {
  Size length = 64;
  Size stride = 0;  // from one to the next; 0: the length
};
// Each window of a vector of codes, and the same one place on: what comes next. i64 [n, length], i64 [n, length]; what is
// shorter than a window at the end is left out.
Dataset windows(const Tensor& codes, WindowOptions options = {}, Source source = Source::here());

}  // namespace xgrad::data

#pragma GCC visibility pop
