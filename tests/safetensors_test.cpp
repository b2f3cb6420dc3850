// .safetensors files: what is written comes back; a file that is not right is one Error; a failed write leaves the old.
#include <xgrad/autodiff/safetensors.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "autodiff/new_file.hpp"
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using namespace helpers;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::current_path() / "files";
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
  std::ptrdiff_t count() const { return std::distance(fs::directory_iterator(path), {}); }
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string with_header(const std::string& header, const std::string& numbers) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + numbers;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_comes_back) {
  const Folder folder;
  const std::string path = folder.file("all");
  const Tensor wide = reshape(arange(24), {2, 3, 4});
  const NamedTensors written{
      {"flag", tensor({1, 0, 1}) > 0},
      {"f32", tensor({{1.5f, -0.0f}, {std::numeric_limits<float>::infinity(), 1e-40f}})},
      {"f64", linspace(0, 1, 7)},
      {"i64", tensor({std::numeric_limits<Size>::min(), std::numeric_limits<Size>::max()})},
      {"scalar", full({}, 2.5)},
      {"none", zeros({0, 3})},
      {"transposed", transpose(wide)},
      {"pending", exp(ones({100, 100})) + 1},
      {"expanded", expand(ones({1, 3}), {4, 3})},
      {"quotes \" \\ \n \x01 and \xc3\xa9", ones({1})},
  };
  const Metadata metadata{{"format", "pt"}, {"a \"key\"", "line\nbreak"}};
  write_safetensors(path, written, metadata);
  const Safetensors read = read_safetensors(path);
  BOOST_TEST((read.metadata == metadata));
  BOOST_TEST_REQUIRE(read.tensors.size() == written.size());
  for (const NamedTensor& want : written) {
    const auto got = std::find_if(read.tensors.begin(), read.tensors.end(),
                                  [&](const NamedTensor& t) { return t.name == want.name; });
    BOOST_TEST_REQUIRE((got != read.tensors.end()), want.name);
    BOOST_TEST((got->value.shape() == want.value.shape() && got->value.dtype() == want.value.dtype()));
    if (want.value.dtype() == i64)
      BOOST_TEST(got->value.to_vector<Size>() == want.value.to_vector<Size>(), boost::test_tools::per_element());
    else BOOST_TEST(got->value.to_vector<double>() == want.value.to_vector<double>(), boost::test_tools::per_element());
  }
  const std::string bytes = bytes_of(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  BOOST_TEST(length % 8 == 0);  // so that the numbers are aligned
  write_safetensors(path, read.tensors, read.metadata);
  BOOST_TEST((bytes_of(path) == bytes));
  BOOST_TEST(folder.count() == 1);  // no temporary file is left
  write_safetensors(path, {});
  BOOST_TEST(read_safetensors(path).tensors.empty());
}

BOOST_AUTO_TEST_CASE(halves_are_widened) {
  const references::File file("halves");
  const auto got = file["F16"].to_vector<float>(), want = file["as_f32"].to_vector<float>();
  BOOST_TEST_REQUIRE(got.size() == want.size());
  BOOST_TEST(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)) == 0);
  const Folder folder;
  put(folder.file("brain"),
      with_header(R"({"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", std::string("\x80\x3f\x20\xc0", 4)));
  BOOST_TEST(
      read_safetensors(folder.file("brain")).tensors[0].value.to_vector<float>() == (std::vector<float>{1, -2.5}),
      boost::test_tools::per_element());
}

// Every dtype of the format, by its extremes; what no Tensor holds is named and passed over.
BOOST_AUTO_TEST_CASE(dtypes_of_the_format) {
  const auto bytes = [](auto... numbers) {
    std::string all;
    (all.append(reinterpret_cast<const char*>(&numbers), sizeof numbers), ...);
    return all;
  };
  const auto least = [](auto zero) { return std::numeric_limits<decltype(zero)>::min(); };
  const auto most = [](auto zero) { return std::numeric_limits<decltype(zero)>::max(); };
  const auto extremes = [&](auto zero) { return bytes(least(zero), zero, most(zero)); };
  const auto as_sizes = [&](auto zero) { return std::vector<double>{double(least(zero)), 0, double(most(zero))}; };
  const struct {
    const char* name;
    std::string numbers;  // three
    DType dtype;
    std::vector<double> wanted;
  } table[] = {
      {"F64", bytes(1e-300, 0.0, -1e300), f64, {1e-300, 0, -1e300}},
      {"F32", bytes(1.5f, 0.0f, -2.0f), f32, {1.5, 0, -2}},
      {"F16", bytes(std::uint16_t(0x3c00), std::uint16_t(0), std::uint16_t(0xfbff)), f32, {1, 0, -65504}},
      {"BF16", bytes(std::uint16_t(0x3f80), std::uint16_t(0), std::uint16_t(0xc020)), f32, {1, 0, -2.5}},
      {"I64", bytes(Size{-5}, Size{0}, Size{7}), i64, {-5, 0, 7}},
      {"I32", extremes(std::int32_t{}), i64, as_sizes(std::int32_t{})},
      {"I16", extremes(std::int16_t{}), i64, as_sizes(std::int16_t{})},
      {"I8", extremes(std::int8_t{}), i64, as_sizes(std::int8_t{})},
      {"U32", extremes(std::uint32_t{}), i64, as_sizes(std::uint32_t{})},
      {"U16", extremes(std::uint16_t{}), i64, as_sizes(std::uint16_t{})},
      {"U8", extremes(std::uint8_t{}), i64, as_sizes(std::uint8_t{})},
      {"BOOL", std::string("\x00\x00\x01", 3), boolean, {0, 0, 1}},
      {"U64", extremes(std::uint64_t{}), i64, {}},
      {"F8_E4M3", "abc", i64, {}},
      {"F8_E5M2", "abc", i64, {}},
      {"C64", std::string(24, 'x'), i64, {}},
      {"of the future", "abcdefghijk", i64, {}},
  };
  std::string header, numbers;
  for (const auto& row : table) {
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[3],"data_offsets":[{},{}]}})", header.empty() ? "{" : ",",
                          row.name, row.name, numbers.size(), numbers.size() + row.numbers.size());
    numbers += row.numbers;
  }
  const Folder folder;
  put(folder.file("all"), with_header(header + "}", numbers));
  const Safetensors read = read_safetensors(folder.file("all"));
  BOOST_TEST(read.tensors.size() + read.unread.size() == std::size(table));
  for (const auto& row : table) {
    const auto got =
        std::find_if(read.tensors.begin(), read.tensors.end(), [&](const auto& t) { return t.name == row.name; });
    const auto unread =
        std::find_if(read.unread.begin(), read.unread.end(), [&](const auto& t) { return t.name == row.name; });
    BOOST_TEST((got != read.tensors.end()) == !row.wanted.empty(), row.name);
    BOOST_TEST((unread != read.unread.end() && unread->dtype == row.name) == row.wanted.empty(), row.name);
    if (got == read.tensors.end()) continue;
    BOOST_TEST((got->value.dtype() == row.dtype), row.name);
    BOOST_TEST(got->value.to_vector<double>() == row.wanted, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(booleans_are_0_or_1) {
  const Folder folder;
  put(folder.file("flags"),
      with_header(R"({"x":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", std::string("\x00\x01\xff", 3)));
  BOOST_TEST(sum(read_safetensors(folder.file("flags")).tensors[0].value).item() == 2);
}

BOOST_AUTO_TEST_CASE(what_is_not_right_is_an_error) {
  const std::string four(4, '\0'), eight(8, '\0');
  std::string ones_64;
  for (int i = 0; i < 64; ++i) ones_64 += ",1";
  const auto x = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return fmt::format(R"({{"x":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets);
  };
  const auto two = [](const std::string& a, const std::string& b) {
    return fmt::format(R"({{"x":{{"dtype":"F32","shape":[1],"data_offsets":{}}},)"
                       R"("y":{{"dtype":"F32","shape":[1],"data_offsets":{}}}}})",
                       a, b);
  };
  const std::pair<std::string, const char*> rows[] = {
      {"", "0 bytes are too few"},
      {"1234567", "7 bytes are too few"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), "does not fit"},
      {std::string("\x09\0\0\0\0\0\0\0{}", 10), "a header of 9 bytes does not fit in a file of 10"},
      {std::string("PK\3\4\0\0\x08\x08\0\0\0\0\0\0", 14),
       "this is a zip archive, PyTorch's own format; in Python, safetensors.torch.save_file(model.state_dict(), path)"},
      {std::string("PK\3\4\0\0\0\0\0\0\0\0", 12), "this is a zip archive"},
      {std::string("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15),
       "this is a pickle, PyTorch's old format; in Python,"},
      {std::string("\x80\4\x95\x10\0\0\0\0\0\0\0}\x94", 13), "this is a pickle"},
      {std::string("PK\5\6\0\0\0\0\0\0\0\0", 12), "does not fit"},
      {with_header("", ""), "expected { at byte 0"},
      {with_header("[]", ""), "expected { at byte 0"},
      {with_header("{", ""), "not what JSON is"},
      {with_header("{}x", ""), "expected the end"},
      {with_header("{\"x\"}", ""), "expected :"},
      {with_header("{\"x\":3}", ""), "expected {"},
      {with_header("{\"x", ""), "a closing quote"},
      {with_header("{\"x\\", ""), "an escape"},
      {with_header("{\"\\q\":{}}", ""), "an escape"},
      {with_header("{\"\\u12g4\":{}}", ""), "four hexadecimal digits"},
      {with_header("{\"\\ud800\":{}}", ""), "second half"},
      {with_header("{\"a\nb\":{}}", ""), "a character"},
      {with_header("{}", four), "4 bytes follow the last tensor"},
      {with_header(R"({"x":{}})", ""), "x has no dtype, shape or data_offsets"},
      {with_header(R"({"x":{"dtype":"F32","shape":[1],"extra":[1]}})", four),
       "x has the key \"extra\", which the format has not; leave it out, or put it into __metadata__"},
      {with_header("{\"a\xc3z\":{}}", ""),
       "the name or note before byte 5 of the header is not UTF-8; the file is corrupt"},
      {with_header("{\"__metadata__\":{\"a\":\"\x80\"}}", ""), "is not UTF-8"},
      {with_header("{\"__metadata__\":{\"\xff\":\"\"}}", ""), "is not UTF-8"},
      {with_header(R"({"x":{"dtype":"F32","dtype":"F32","shape":[1]}})", four), "dtype is there twice"},
      {with_header(R"({"__metadata__":{"a":3}})", ""), "expected \""},
      {with_header(x("F32", "[1]", "[0]"), four), "1 data_offsets, not 2"},
      {with_header(x("F8_E4M3", "[4]", "[0,5]"), four), "at 0 ... 5 of 4"},
      {with_header(x("F8_E4M3", "[4]", "[1,0]"), four), "x has F8_E4M3 of shape (4,)"},
      {with_header(x("I32", "[2]", "[0,4]"), four), "x has I32 of shape (2,), 8 bytes, at 0 ... 4"},
      {with_header(x("F32", "[-1]", "[0,4]"), four), "a whole number"},
      {with_header(x("F32", "[1.5]", "[0,4]"), four), "expected ]"},
      {with_header(x("F32", "[99999999999999999999]", "[0,4]"), four), "too many digits"},
      {with_header(x("F32", "[18446744073709551615]", "[0,4]"), four), "more than memory holds"},
      {with_header(x("F32", "[4294967296,4294967296]", "[0,4]"), four), "more than memory holds"},
      {with_header(x("F32", "[9223372036854775808,0]", "[0,0]"), ""),
       "x has the shape (9223372036854775808, 0), more than memory holds"},
      {with_header(x("U64", "[9223372036854775808]", "[0,0]"), ""),
       "the shape (9223372036854775808,), more than memory"},
      {with_header(x("F64", "[4611686018427387904]", "[0,0]"), ""), "more than memory holds"},
      {with_header(x("F32", fmt::format("[1{}]", ones_64), "[0,4]"), four), "x has 65 axes, more than 64"},
      {with_header(x("F32", "[2]", "[0,8]"), four), "8 bytes, at 0 ... 8 of 4"},
      {with_header(x("F32", "[2]", "[0,4]"), four), "8 bytes, at 0 ... 4 of 4"},
      {with_header(x("F32", "[1]", "[4,0]"), four), "at 4 ... 0"},
      {with_header(x("F32", "[1]", "[18446744073709551612,0]"), four), "at 18446744073709551612 ... 0"},
      {with_header(two("[0,4]", "[0,4]"), four), "overlap or leave a hole"},
      {with_header(two("[0,4]", "[8,12]"), eight + four), "overlap or leave a hole"},
      {with_header(two("[4,8]", "[8,12]"), eight + four), "overlap or leave a hole"},
      {with_header(R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                   R"("x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                   ""),
       "x is there twice"},
  };
  const Folder folder;
  const std::string path = folder.file("bad");
  for (const auto& [bytes, message] : rows) {
    put(path, bytes);
    CHECK_ERROR(read_safetensors(path), message);
  }
  const std::string like_a_pickle =  // the length of its header has the first bytes of one
      with_header(fmt::format(R"({{"__metadata__":{{"n":"{}"}}}})", std::string(0x280 - 25, 'n')), "");
  BOOST_TEST(like_a_pickle.substr(0, 2) == "\x80\2");
  put(path, like_a_pickle);
  BOOST_TEST(read_safetensors(path).metadata.size() == 1);
  const std::string good = with_header(two("[0,4]", "[4,8]"), eight);
  put(path, good);
  BOOST_TEST(read_safetensors(path).tensors.size() == 2);
  for (std::size_t n = 0; n < good.size(); ++n) {  // cut off anywhere
    put(path, good.substr(0, n));
    BOOST_TEST(references::error_of([&] { read_safetensors(path); }) != "");
  }
  for (std::size_t i = 0; i < good.size() - 8; ++i)  // any byte wrong: an Error or other numbers, and nothing worse
    for (const char c : {'\0', '"', '9', '{', '\xff'}) {
      std::string bad = good;
      bad[i] = c;
      put(path, bad);
      (void)references::error_of([&] { read_safetensors(path); });
    }
  CHECK_ERROR(read_safetensors(folder.file("missing")), "cannot open: No such file or directory; check the path");
  CHECK_ERROR(read_safetensors(folder.path.string()), "not a file of numbers");
  BOOST_TEST_REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK_ERROR(read_safetensors(folder.file("pipe")), "not a file of numbers");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_CASE(a_header_that_memory_does_not_hold) {
  const Folder folder;
  const std::string path = folder.file("long");
  const std::uint64_t length = 90'000'000;
  put(path, std::string(reinterpret_cast<const char*>(&length), 8));
  fs::resize_file(path, 8 + length);
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit tight{pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) + (32u << 20), limit.rlim_max};
  setrlimit(RLIMIT_AS, &tight);
  const std::string message = references::error_of([&] { read_safetensors(path); });
  setrlimit(RLIMIT_AS, &limit);
  BOOST_TEST(message.find("long: memory does not hold its header") != std::string::npos, message);
}
#endif

BOOST_AUTO_TEST_CASE(what_is_replaced_keeps_its_place_and_mode) {
  const Folder folder;
  const std::string path = folder.file("net"), link = folder.file("link"), dangling = folder.file("dangling");
  fs::create_symlink("net", link);
  fs::create_symlink(folder.file("new"), dangling);
  write_safetensors(path, {{"x", ones({3})}});
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  write_safetensors(link, {{"y", ones({3})}});
  BOOST_TEST(fs::is_symlink(link));
  BOOST_TEST(read_safetensors(path).tensors[0].name == "y");
  BOOST_TEST((fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
  write_safetensors(dangling, {{"z", ones({3})}});
  BOOST_TEST(fs::is_symlink(dangling));
  BOOST_TEST(read_safetensors(folder.file("new")).tensors[0].name == "z");
  fs::create_symlink("loop", folder.file("loop"));
  CHECK_ERROR(write_safetensors(folder.file("loop"), {{"x", ones({3})}}), "cannot write there: Too many levels");
  write_safetensors(folder.file(std::string(250, 'n')), {{"x", ones({3})}});
  BOOST_TEST(read_safetensors(folder.file(std::string(250, 'n'))).tensors.size() == 1);
}

BOOST_AUTO_TEST_CASE(what_no_reader_takes_is_not_written) {
  const Folder folder;
  const std::string path = folder.file("net");
  CHECK_ERROR(write_safetensors(path, {}, {{"a", "1"}, {"a", "2"}}), "the metadata key a is there twice");
  for (const char* text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3z"}) {
    CHECK_ERROR(write_safetensors(path, {{text, ones({1})}}), "not UTF-8");
    CHECK_ERROR(write_safetensors(path, {}, {{text, ""}}), "not UTF-8");
    CHECK_ERROR(write_safetensors(path, {}, {{"", text}}), "not UTF-8");
  }
  BOOST_TEST(folder.count() == 0);
  for (const char* text :
       {"a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    write_safetensors(path, {{text, ones({1})}});
    BOOST_TEST(read_safetensors(path).tensors[0].name == text);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_write_leaves_the_old_file) {
  const Folder folder;
  const std::string path = folder.file("net");
  write_safetensors(path, {{"x", ones({3})}});
  const std::string before = bytes_of(path);
  const auto unchanged = [&] { return bytes_of(path) == before && folder.count() == 1; };

  CHECK_ERROR(write_safetensors(path, {{"x", ones({1})}, {"x", ones({1})}}), "the name x is there twice");
  CHECK_ERROR(write_safetensors(path, {{"__metadata__", ones({1})}}), "reserved");
  CHECK_ERROR(write_safetensors(path, {{"x", Tensor()}}), "x is an empty Tensor");
  BOOST_TEST(unchanged());

  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow: writing fails midway, as on a full disk
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{4096, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = references::error_of([&] { write_safetensors(path, {{"x", ones({1000, 1000})}}); });
  setrlimit(RLIMIT_FSIZE, &limit);
  BOOST_TEST(message.find("writing failed: File too large; the old file") != std::string::npos, message);
  BOOST_TEST(unchanged());

  CHECK_ERROR(write_safetensors("/dev/full", {{"x", ones({3})}}), "No space left on device");
  CHECK_ERROR(write_safetensors(folder.path.string(), {{"x", ones({3})}}), "this is a directory");
  CHECK_ERROR(write_safetensors(folder.file("no/such/folder"), {{"x", ones({3})}}), "cannot write there");
  BOOST_TEST(unchanged());
}

// What a process leaves that is killed while it saves: the old file or the new one, whole, and nothing that keeps
// another from saving. `nameless` false: as on a file system that has no nameless files.
BOOST_AUTO_TEST_CASE(a_process_killed_while_it_saves) {
#ifdef __SANITIZE_THREAD__
  BOOST_TEST_MESSAGE("skipped: under the thread sanitizer a child of fork() can start no threads");
  return;
#endif
  const Folder folder;
  const std::string path = folder.file("net");
  const Tensor x = evaluate(ones({200'000}));
  const std::string whole(800'000, 'x');
  for (const bool nameless : {true, false}) {
    fs::remove(path);
    int between = 0;  // files left with another name
    for (int i = 0; i < 100; ++i) {
      int ready[2];  // the child says that it has saved once, however slow the machine is
      BOOST_TEST_REQUIRE(::pipe(ready) == 0);
      const pid_t child = ::fork();
      if (child == 0)
        for (bool first = true;; first = false) {
          if (nameless) {
            write_safetensors(path, {{"x", x}});
          } else {
            NewFile file(path, "test", {}, false);
            file.write(whole.data(), whole.size());
            file.commit();
          }
          if (first && ::write(ready[1], "x", 1) != 1) ::_exit(1);
        }
      char byte;
      ::close(ready[1]);  // so that a child that has ended is no wait for ever
      BOOST_TEST_REQUIRE(::read(ready[0], &byte, 1) == 1);
      ::close(ready[0]);
      ::usleep(static_cast<useconds_t>(i * 61));
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      between += folder.count() - fs::exists(path) > 0;
      BOOST_TEST_REQUIRE(folder.count() <= 2);
    }
    BOOST_TEST_MESSAGE((nameless ? "nameless: " : "named: ") << between << " of 100 left a file");
    if (nameless) BOOST_TEST(between <= 20);
    else BOOST_TEST(between > 0);  // else this test tests nothing
    if (nameless) {
      BOOST_TEST(read_safetensors(path).tensors[0].value.numel() == 200'000);
      write_safetensors(path, {{"x", ones({3})}});
      BOOST_TEST(read_safetensors(path).tensors[0].value.numel() == 3);
    } else {
      BOOST_TEST(bytes_of(path) == whole);
      NewFile file(path, "test", {}, false);
      file.write("new", 3);
      file.commit();
      BOOST_TEST(bytes_of(path) == "new");
    }
    BOOST_TEST(folder.count() == 1);  // what was left is gone
  }
}

BOOST_AUTO_TEST_CASE(several_save_to_one_file) {
  const Folder folder;
  const std::string path = folder.file("net");
  for (const bool nameless : {true, false}) {
    std::vector<std::thread> writers;
    std::atomic<int> errors = 0;
    for (char c : {'a', 'b', 'c', 'd'})
      writers.emplace_back([&, c] {
        const std::string text(100'000, c);
        try {
          for (int i = 0; i < 20; ++i) {
            NewFile file(path, "test", {}, nameless);
            file.write(text.data(), text.size());
            file.commit();
          }
        } catch (const Error&) {
          ++errors;
        }
      });
    for (std::thread& w : writers) w.join();
    BOOST_TEST(errors == 0);
    const std::string found = bytes_of(path);
    BOOST_TEST((found.size() == 100'000 && found == std::string(100'000, found[0])));
    BOOST_TEST(folder.count() == 1);
  }
}

BOOST_AUTO_TEST_CASE(as_many_axes_are_written_as_are_read) {
  const Folder folder;
  const std::string path = folder.file("deep");
  const auto deep = [](int rank) {
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push_back(1);
    return NamedTensors{{"x", ones(shape)}};
  };
  write_safetensors(path, deep(64));
  BOOST_TEST(read_safetensors(path).tensors[0].value.dim() == 64);
  CHECK_ERROR(write_safetensors(path, deep(65)), "x has 65 axes, and files hold at most 64");
  BOOST_TEST(read_safetensors(path).tensors[0].value.dim() == 64);
}

BOOST_AUTO_TEST_CASE(oversized_header) {
  const std::string path = "oversized";
  const std::uint64_t length = 100'000'001;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), 8);
  std::filesystem::resize_file(path, length + 100);  // a hole: it takes no disk
  BOOST_CHECK_EXCEPTION(read_safetensors(path), Error, says("a header of 100000001 bytes does not fit"));
  std::filesystem::remove(path);
}
