#include "targets.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <xgrad/xgrad.hpp>

#include "../programs/check.hpp"
#include "../programs/generator.hpp"
#include "mutator.hpp"

namespace fuzz {

namespace {

using namespace xgrad;

// The file that inputs are read from; gone at the end.
class File {
 public:
  File() : path_((std::filesystem::temp_directory_path() / fmt::format("xgrad-fuzz-{}", getpid())).string()) {}
  ~File() { std::remove(path_.c_str()); }
  const std::string& with(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_;
  }
  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};
const File& file() {
  static const File f;
  return f;
}

// ---- safetensors

std::vector<std::string> safetensors_corpus() {
  const File& f = file();
  std::vector<std::string> corpus;
  const auto take = [&](const NamedTensors& tensors, const Metadata& metadata = {}) {
    write_safetensors(f.path(), tensors, metadata);
    corpus.push_back(f.bytes());
  };
  take({});
  take({{"x", tensor({1.0f, 2.0f, 3.0f})}});
  take({{"weight", zeros({2, 3}, f64)}, {"count", arange(4)}, {"mask", arange(3) > 1}, {"none", zeros({0, 5})}},
       {{"format", "pt"}, {"note", "a \"quoted\" \\ line\n"}});
  take({{"scalar", tensor(2.5)}, {"deep", ones({1, 1, 1, 1, 1, 1, 1, 2}, f32)}});
  nn::Linear layer(3, 2);
  layer.weight = ones({2, 3});
  optim::Adam trained({layer.weight, layer.bias}, {.lr = 0.1});
  (sum(square(layer.weight)) + sum(layer.bias)).backward();
  trained.step();
  take(trained.state());
  const std::string halves =
      R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}})";
  std::string head(8, '\0');
  head[0] = static_cast<char>(halves.size());
  corpus.push_back(head + halves + "\x00\x3c\x01\x7c\xc0\x7f");
  return corpus;
}

// The header's length as the header is, so that what was changed is read.
void mend_length(std::string& s) {
  const std::size_t end = s.rfind('}');
  if (s.size() < 9 || end == s.npos || end < 8) return;
  const std::uint64_t length = end - 7;
  for (int i = 0; i < 8; ++i) s[static_cast<std::size_t>(i)] = static_cast<char>(length >> 8 * i);
}

bool same(const Safetensors& a, const Safetensors& b) {
  if (a.tensors.size() != b.tensors.size() || a.metadata != b.metadata) return false;
  for (std::size_t i = 0; i < a.tensors.size(); ++i)
    if (a.tensors[i].name != b.tensors[i].name || !programs::difference(a.tensors[i].value, b.tensors[i].value).empty())
      return false;
  return true;
}

std::string run_safetensors(std::uint64_t seed) {
  // clang-format off
  static const std::vector<std::string> corpus = safetensors_corpus(),
                                        words{"{", "}", "[", "]", ":", ",", "\"", "{}", "[]", "\\", "\\u0000", "\\ud800",
                                              "\\n", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"",
                                              "\"F32\"", "\"F64\"", "\"I64\"", "\"BOOL\"", "\"F16\"", "\"U8\"", "null",
                                              "true", "1e9", "0.5", "-1", "00", "18446744073709551616", " ", "\x80", "\xff"};
  // clang-format on
  Dice dice(seed);
  std::string bytes = mutated(dice, corpus, words);
  if (dice.chance(0.6)) mend_length(bytes);
  const std::string& path = file().with(bytes);
  return only_errors([&]() -> std::string {
    const Safetensors all = read_safetensors(path);
    const Safetensors again = [&] {  // what can be read can be written, and read again
      write_safetensors(path, all.tensors, all.metadata);
      return read_safetensors(path);
    }();
    if (!same(all, again)) return "reads otherwise after it was written";
    // Whoever loads it takes it whole or not at all.
    nn::Linear layer(3, 2);
    const Tensor before = layer.weight.value();
    optim::Adam optimizer({layer.weight, layer.bias}, {});
    try {
      nn::load(layer, path);
    } catch (const Error&) {
      if (!programs::difference(layer.weight.value(), before).empty())
        return "a load that failed has changed the layer";
    }
    try {
      optimizer.load(path);
      sum(square(layer.weight)).backward();
      optimizer.step();
    } catch (const Error&) {
    }
    return {};
  });
}

// ---- IDX

std::string idx_bytes(std::initializer_list<Size> shape, int type = 8) {
  std::string s{'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  Size count = 1;
  for (const Size e : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) s += static_cast<char>(e >> shift);
    count *= e;
  }
  for (Size i = 0; i < count; ++i) s += static_cast<char>(7 * i);
  return s;
}

std::string zipped(const std::string& bytes) {
  gzFile f = gzopen(file().path().c_str(), "wb");
  gzwrite(f, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(f);
  return file().bytes();
}

std::string run_idx(std::uint64_t seed) {
  static const std::vector<std::string> plain{idx_bytes({5}),       idx_bytes({2, 3, 4}),          idx_bytes({0}),
                                              idx_bytes({3, 0, 7}), idx_bytes({1, 1, 1, 1, 1, 2}), idx_bytes({4}, 13)};
  static const std::vector<std::string> packed = [] {
    std::vector<std::string> all;
    for (const std::string& s : plain) all.push_back(zipped(s));
    return all;
  }();
  Dice dice(seed);
  std::string bytes;
  switch (dice.below(3)) {
    case 0: bytes = mutated(dice, plain, {}); break;
    case 1: bytes = zipped(mutated(dice, plain, {})); break;
    default: bytes = mutated(dice, packed, {});
  }
  const std::string& path = file().with(bytes);
  return only_errors([&]() -> std::string {
    const Tensor whole = data::idx_integers(path), images = data::idx_images(path);
    if (!(whole.shape() == images.shape())) return "two shapes";
    if (whole.numel() == 0) return {};
    if (amin(whole).item() < 0 || amax(whole).item() > 255) return "no bytes";
    return {};
  });
}

// ---- CSV

// A table as text again, every cell quoted.
std::string written(const data::Table& t) {
  std::string text;
  const auto add = [&](std::string_view cell, bool last) {
    text += '"';
    for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
    text += last ? "\"\n" : "\",";
  };
  for (std::size_t i = 0; i < t.names().size(); ++i) add(t.names()[i], i + 1 == t.names().size());
  for (Size row = 0; row < t.rows(); ++row)
    for (std::size_t i = 0; i < t.names().size(); ++i) add(t.text(row, t.names()[i]), i + 1 == t.names().size());
  return text;
}

std::string run_csv(std::uint64_t seed) {
  // clang-format off
  static const std::vector<std::string> corpus{
      "a,b,c\n1,2.5,x\n-3e4,?,y\n", "name,\"long, name\"\r\n\"two\nlines\",\"say \"\"hi\"\"\"\r\n,\r\n", "1 2  3\n4 5 6\n",
      "\xEF\xBB\xBFx;y\n1,5;2\n\n", "a\tb\n\t2\n", "", "\n\n", "only\n", "'a;b'\n"},
      words{",", "\"", "\"\"", "\n", "\r\n", "\r", " ", "\t", ";", "'", "NaN", "1e999", "-", "+", "inf", "0x10", "\xff", std::string(1, '\0')};
  // clang-format on
  Dice dice(seed);
  const std::string& path = file().with(mutated(dice, corpus, words));
  constexpr char delimiters[] = {',', ';', '\t', ' ', 'a'};
  const data::CsvOptions options{.delimiter = delimiters[dice.below(5)],
                                 .quote = dice.chance(0.8) ? '"' : '\'',
                                 .header = dice.chance(0.7),
                                 .trim = dice.chance(0.7),
                                 .decimal = dice.chance(0.8) ? '.' : ','};
  return only_errors([&]() -> std::string {
    const data::Table t = data::read_csv(path, options);
    for (const std::string& column : t.names()) {
      const data::Table::Categories kinds = t.categories(column);
      if (t.rows() > 0 && amax(kinds.codes).item() >= static_cast<double>(std::max<std::size_t>(kinds.names.size(), 1)))
        return "a code without a name";
      try {
        if (t.numbers({column}).numel() != t.rows()) return "a column of another length";
      } catch (const Error&) {
      }
    }
    if (t.names().empty()) return {};
    const data::Table again = data::parse_csv(written(t), {.trim = false});
    if (again.names() != t.names() || again.rows() != t.rows())
      return "another table when it is written and read again";
    for (Size row = 0; row < t.rows(); ++row)
      for (const std::string& column : t.names())
        if (again.text(row, column) != t.text(row, column)) return "another cell when it is written and read again";
    return {};
  });
}

// ---- programs

std::string run_programs(std::uint64_t seed) {
  const programs::Program p = programs::random_program(seed);
  programs::Tally tally;
  const auto check = [&](const programs::Program& q) { return programs::check(q, tally); };
  const std::string wrong = check(p);
  if (wrong.empty()) return {};
  std::vector<Tensor> values;
  try {
    values = programs::run(p, {.eager = true}).slots;
  } catch (const std::exception&) {
  }
  return fmt::format("{}\n{}", wrong, to_string(programs::shortened(p, check, values)));
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all{
      {"safetensors", "files of named tensors, as they are read, written again, and loaded", run_safetensors},
      {"idx", "IDX files, plain and gzip's", run_idx},
      {"csv", "tables of text, read, written and read again", run_csv},
      {"state", "states of optimizers, loaded and stepped on", run_state},
      {"text", "texts as codes of characters and words, and back", run_text},
      {"environment", "variables that xgrad looks at, each in a process of its own", run_environment},
      {"programs", "random programs, as programs_test runs them", run_programs}};
  return all;
}

}  // namespace fuzz
