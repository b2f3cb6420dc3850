// Loaders, made data and IDX files; the training loop and its pictures.
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include "helpers.hpp"
#include "references/references.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;
using namespace helpers;

namespace {

std::vector<Size> order_of(const data::DataLoader& loader) {
  std::vector<Size> rows;
  for (const auto& batch : loader)
    for (const Size row : batch[0].to_vector<Size>()) rows.push_back(row);
  return rows;
}

// A file of bytes, as LeCun's page describes it.
std::string idx(const std::vector<int>& extents, const std::vector<int>& bytes) {
  std::string file{0, 0, 8, static_cast<char>(extents.size())};
  for (const int e : extents)
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(e >> shift);
  for (const int b : bytes) file += static_cast<char>(b);
  return file;
}
void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
void write_gz(const std::string& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

struct Net {
  nn::Linear hidden{2, 32}, output{32, 3};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_loader_gives_every_row_once_an_epoch) {
  const Tensor rows = arange(10), twice = 2 * rows;
  const data::DataLoader plain({rows, twice}, {.batch_size = 4});
  BOOST_TEST(plain.size() == 3);
  BOOST_TEST(order_of(plain) == (std::vector<Size>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  Size last = 0;
  for (const auto& batch : plain) {
    last = batch[0].numel();
    BOOST_TEST(batch[1].to_vector<Size>() == (2 * batch[0]).to_vector<Size>());
  }
  BOOST_TEST(last == 2);
  const data::DataLoader full({rows}, {.batch_size = 4, .drop_last = true});
  BOOST_TEST(full.size() == 2);
  BOOST_TEST(order_of(full).size() == 8u);

  const data::DataLoader mixed({rows}, {.batch_size = 3, .shuffle = true, .seed = 4});
  const auto first = order_of(mixed), second = order_of(mixed);
  BOOST_TEST(first != second);
  for (const auto& order : {first, second}) BOOST_TEST(std::set<Size>(order.begin(), order.end()).size() == 10u);
  const data::DataLoader again({rows}, {.batch_size = 3, .shuffle = true, .seed = 4});
  BOOST_TEST(order_of(again) == first);
  BOOST_TEST(order_of(again) == second);
  const data::DataLoader other({rows}, {.batch_size = 3, .shuffle = true, .seed = 5});
  BOOST_TEST(order_of(other) != first);
}

// A run that is resumed at an epoch has the orders of one that went through; so has a loader that has made some passes.
BOOST_AUTO_TEST_CASE(a_loader_goes_on_at_an_epoch) {
  for (const Size rows : {0, 1, 2, 10}) {
    const auto made = [&] { return data::DataLoader({arange(rows)}, {.batch_size = 3, .shuffle = true, .seed = 4}); };
    const data::DataLoader whole = made();
    std::vector<std::vector<Size>> orders;
    for (int pass = 0; pass < 6; ++pass) orders.push_back(order_of(whole));
    data::DataLoader resumed = made(), used = made();
    resumed.set_epoch(3);
    for (std::size_t pass = 3; pass < 6; ++pass) BOOST_TEST(order_of(resumed) == orders[pass]);
    for (const Size epoch : {4, 0, 1, 5}) {
      used.set_epoch(epoch);
      BOOST_TEST(order_of(used) == orders[static_cast<std::size_t>(epoch)]);
    }
  }
  struct Row {
    Tensor number;
  };
  const data::DataLoader of_tensors({arange(10)}, {.shuffle = true, .seed = 4});
  data::LoaderOf<Row> of_rows({arange(10)}, {.shuffle = true, .seed = 4});
  order_of(of_tensors);
  of_rows.set_epoch(1);
  for (const Row& batch : of_rows) BOOST_TEST(batch.number.to_vector<Size>() == order_of(of_tensors));
  manual_seed(3);
  data::DataLoader drawn({arange(10)}, {.shuffle = true}), plain({arange(10)});
  const auto first = order_of(drawn);
  drawn.set_epoch(0);
  BOOST_TEST(order_of(drawn) == first);
  plain.set_epoch(7);
  BOOST_TEST(order_of(plain) == arange(10).to_vector<Size>());
  CHECK_ERROR(plain.set_epoch(-1), "[set_epoch] expected an epoch of 0 or more, got -1");
  CHECK_ERROR(of_rows.set_epoch(-1), "data_test.cpp");
  const data::DataLoader moved = std::move(plain);
  CHECK_ERROR(plain.set_epoch(1), "[set_epoch] this loader was moved from");  // NOLINT(bugprone-use-after-move)
}

// They go by the name of what was called, with its line.
BOOST_AUTO_TEST_CASE(tensors_that_cannot_be_looked_at) {
  const Tensor numbers = evaluate(randn({3000, 1})), codes = evaluate(arange(3000));
  const data::Vocabulary letters = data::Vocabulary::characters("abc");
  const data::Table table = data::parse_csv("a\n1\n");
  const data::Standardiser scaled = data::standardiser(numbers);
  struct Case {
    const char* op;
    std::function<void(const Tensor& floats, const Tensor& integers)> call;
  };
  const Case cases[] = {
      {"[DataLoader]",
       [&](const Tensor& x, const Tensor&) {
         data::DataLoader({numbers, x});
       }},
      {"[shuffled]",
       [&](const Tensor& x, const Tensor&) {
         data::shuffled({x, codes});
       }},
      {"[split_random]",
       [&](const Tensor&, const Tensor& n) {
         data::split_random({numbers, n}, {.stratified = true});
       }},
      {"[k_fold]",
       [&](const Tensor&, const Tensor& n) {
         data::k_fold(Tensors{numbers, n}, {.stratified = true});
       }},
      {"[rows]",
       [&](const Tensor&, const Tensor& n) {
         data::rows({numbers, codes}, n);
       }},
      {"[standardiser]", [&](const Tensor& x, const Tensor&) { data::standardiser(x); }},
      {"[standardise]", [&](const Tensor& x, const Tensor&) { scaled(x); }},
      {"[Vocabulary]", [&](const Tensor&, const Tensor& n) { letters.decode(n); }},
      {"[windows]", [&](const Tensor&, const Tensor& n) { data::windows(n); }},
      {"[csv]", [&](const Tensor&, const Tensor& n) { table.rows_of(n); }},
  };
  for (const Case& c : cases) {
    CHECK_ERROR(c.call(Tensor(), Tensor()), c.op);
    CHECK_ERROR(c.call(Tensor(), Tensor()), "data_test.cpp");
    const Tensor pending = exp(numbers), counts = codes + 1;
    std::string message;
    elsewhere([&] { message = references::error_of([&] { c.call(pending, counts); }); });
    BOOST_TEST(message.find("data_test.cpp") != std::string::npos, c.op << ": " << message);
    BOOST_TEST(message.find(std::string(c.op) + " got a pending tensor of another thread") != std::string::npos,
               c.op << ": " << message);
  }
}

BOOST_AUTO_TEST_CASE(batches_outlive_their_iterator) {
  const data::DataLoader few({arange(6)}, {.batch_size = 4});
  const auto& first = *few.begin();
  BOOST_TEST(first[0].numel() == 4);
  auto at = few.begin();
  const auto& before = *at;
  ++at;
  BOOST_TEST(before[0].numel() == 4);
  const data::DataLoader loader({evaluate(randn({600, 5}))}, {.batch_size = 200, .shuffle = true, .seed = 1});
  std::vector<Tensors> kept;
  for (const auto& batch : loader) kept.push_back(batch);
  double total = 0;
  for (const Tensors& batch : kept) total += sum(cast(batch[0], f64)).item();
  double again = 0;
  for (const auto& batch : loader) again += sum(cast(batch[0], f64)).item();
  BOOST_TEST(total == again, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(made_data_are_what_they_say) {
  const auto spirals = data::spirals({.classes = 4, .points_per_class = 25, .noise = 0, .seed = 1});
  BOOST_TEST((spirals.inputs.shape() == Shape{100, 2}));
  BOOST_TEST((spirals.labels.dtype() == i64));
  BOOST_TEST(spirals.labels[5].item() == 1);
  const Tensor radius = sqrt(sum(square(spirals.inputs), 1));
  BOOST_TEST(amax(radius).item() < 1.0001);
  BOOST_TEST(amin(radius).item() > 0.0499);
  const auto circles = data::circles({.points_per_class = 40, .noise = 0, .seed = 1});
  const Tensor distance = sqrt(sum(square(circles.inputs), 1));
  BOOST_TEST(amax(abs(distance - where(circles.labels == 0, amax(distance), amin(distance)))).item() < 1e-5);
  const auto digits = data::digits({.images_per_class = 3, .side = 10, .seed = 2});
  BOOST_TEST((digits.inputs.shape() == Shape{30, 100}));
  BOOST_TEST(amin(digits.inputs).item() >= 0);
  BOOST_TEST(amax(digits.inputs).item() <= 1);
  BOOST_TEST(amax(abs(data::digits({.images_per_class = 3, .side = 10, .seed = 2}).inputs - digits.inputs)).item() ==
             0);
}

BOOST_AUTO_TEST_CASE(shuffled_rows_keep_their_labels) {
  const data::Dataset whole{stack({cast(arange(50), f32), cast(arange(50), f32) * 2}, 1), arange(50)};
  const auto mixed = data::shuffled(whole, 3);
  BOOST_TEST(amax(abs(slice(mixed.inputs, 1, 0, 1) - cast(unsqueeze(mixed.labels, 1), f32))).item() == 0);
  BOOST_TEST(mixed.labels.to_vector<Size>() != whole.labels.to_vector<Size>());
  const auto parts = data::split(mixed, 40);
  BOOST_TEST(parts.train.labels.numel() == 40);
  BOOST_TEST(parts.test.labels.numel() == 10);
  BOOST_TEST(sum(parts.train.labels).item() + sum(parts.test.labels).item() == 1225);
  BOOST_CHECK_EXCEPTION(data::split(mixed, 51), Error, says("data_test.cpp"));
}

BOOST_AUTO_TEST_CASE(idx_files_plain_and_gzipped) {
  const std::string images = idx({2, 2, 3}, {0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6});
  write("images", images);
  write_gz("images.gz", images);
  for (const char* path : {"images", "images.gz"}) {
    const Tensor numbers = data::idx_integers(path), pixels = data::idx_images(path);
    BOOST_TEST((numbers.shape() == Shape{2, 2, 3}));
    BOOST_TEST(numbers[0][1][1].item() == 204);
    BOOST_TEST((pixels.dtype() == f32));
    BOOST_TEST(pixels[0][0][1].item() == 0.2, boost::test_tools::tolerance(1e-6));
  }
  for (std::size_t length = 0; length < images.size(); ++length) {
    write("short", images.substr(0, length));
    BOOST_CHECK_EXCEPTION(data::idx_integers("short"), Error, says("short"));
    write_gz("short.gz", images.substr(0, length));
    BOOST_CHECK_EXCEPTION(data::idx_integers("short.gz"), Error, says("short.gz"));
  }
  write("long", images + "x");
  BOOST_CHECK_EXCEPTION(data::idx_integers("long"), Error, says("data_test.cpp"));
  write("huge", idx({0x7fffffff, 0x7fffffff, 0x7fffffff}, {1, 2}));
  BOOST_CHECK_EXCEPTION(data::idx_integers("huge"), Error, says("huge"));
  BOOST_CHECK_EXCEPTION(data::idx_integers("nowhere"), Error, says("nowhere"));
  BOOST_CHECK_EXCEPTION(data::idx_integers("."), Error, says("no file of numbers; check the path"));
  std::filesystem::remove("pipe");
  BOOST_TEST_REQUIRE(mkfifo("pipe", 0600) == 0);
  BOOST_CHECK_EXCEPTION(data::idx_integers("pipe"), Error, says("pipe: is no file of numbers"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_CASE(what_memory_does_not_hold) {
  const data::DataLoader rows({zeros({Size{1} << 50, 0})}, {.shuffle = true, .seed = 1});
  BOOST_CHECK_EXCEPTION(rows.begin(), Error, says("[DataLoader] an order of 1125899906842624 rows is more"));
  write("large", idx({600'000'000}, {}));
  std::filesystem::resize_file("large", 8 + 600'000'000);  // zeros that take no room on the disk
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  const rlimit tight{512u << 20, before.rlim_max};
  setrlimit(RLIMIT_AS, &tight);
  BOOST_CHECK_EXCEPTION(data::idx_integers("large"), Error, says("large is more than memory holds"));
  setrlimit(RLIMIT_AS, &before);
  std::filesystem::remove("large");
}
#endif

BOOST_AUTO_TEST_CASE(real_digits_where_they_are) {
  const char* folder = std::getenv("XGRAD_DATA");
  if (!folder || !*folder) return;
  const data::Split images = data::mnist(folder);
  BOOST_TEST((images.train.inputs.shape() == Shape{8000, 784}));
  BOOST_TEST(images.test.labels.numel() == 2000);
  BOOST_TEST(images.train.labels[0].item() == 7);
  BOOST_TEST(mean(images.train.inputs).item() == 0.13, boost::test_tools::tolerance(0.05));
}

BOOST_AUTO_TEST_CASE(fit_trains_and_stops_where_it_is_told) {
  manual_seed(2);
  const data::Split points = data::split(data::shuffled(data::spirals({.points_per_class = 100, .noise = 0.05})), 240);
  Net net;
  optim::Adam optimizer(nn::parameters(net), {.lr = 2e-2});
  data::DataLoader batches(points.train, {.batch_size = 32, .shuffle = true, .seed = 1});
  const double before = training::accuracy(net, points.test);
  const training::History history = training::fit(net, optimizer, batches, {.epochs = 60, .progress = false});
  BOOST_TEST(history.epochs.size() == 60u);
  BOOST_TEST(!history.stopped);
  BOOST_TEST(history.epochs.back().loss < 0.5 * history.epochs.front().loss);
  BOOST_TEST(training::accuracy(net, points.test) > std::max(0.8, before));
  const training::History stopped = training::fit(
      net, optimizer, batches,
      {.epochs = 60, .progress = false, .after_epoch = [](const training::Epoch& e) { return e.epoch < 3; }});
  BOOST_TEST(stopped.stopped);
  BOOST_TEST(stopped.epochs.size() == 3u);
  optim::SGD wild(nn::parameters(net), {.lr = 3e38});
  BOOST_CHECK_EXCEPTION(training::fit(net, wild, batches, {.epochs = 20, .progress = false}), Error,
                        says("data_test.cpp"));

  if (!training::can_plot()) {
    BOOST_CHECK_EXCEPTION(training::plot_history(history, "loss.png"), Error, says("gnuplot"));
    return;
  }
  training::plot_history(history, "loss.png");
  training::plot_regions(net, points.train, "regions.png");
  for (const char* path : {"loss.png", "regions.png"}) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    BOOST_TEST(bytes.substr(1, 3) == "PNG");
    BOOST_TEST(bytes.find("IEND") != std::string::npos);  // whole
  }
  BOOST_CHECK_THROW(training::plot_history(history, "no/such/folder/loss.png"), Error);
}

BOOST_AUTO_TEST_CASE(shuffles) {
  const data::DataLoader mixed({arange(3)}, {.batch_size = 3, .shuffle = true, .seed = 4});
  std::set<std::vector<Size>> orders;
  for (int i = 0; i < 200; ++i)
    for (const auto& batch : mixed) orders.insert(batch[0].to_vector<Size>());
  BOOST_TEST(orders.size() == 6u);  // all of them, the one without a change too
}

BOOST_AUTO_TEST_CASE(loops_inside_loops) {
  const data::DataLoader mixed({arange(8)}, {.batch_size = 1, .shuffle = true, .seed = 4});
  std::set<Size> outer;
  for (const auto& batch : mixed) {
    outer.insert(batch[0].to_vector<Size>()[0]);
    std::set<Size> inner;
    for (const auto& other : mixed) inner.insert(other[0].to_vector<Size>()[0]);
    BOOST_TEST(inner.size() == 8u);
  }
  BOOST_TEST(outer.size() == 8u);
}

BOOST_AUTO_TEST_CASE(what_fit_says) {
  // an optimizer that stays where it is: the numbers are those of the whole
  const data::Dataset rows = data::spirals({.points_per_class = 30, .seed = 1});
  nn::Linear net(2, 3);
  optim::SGD still(nn::parameters(net), {.lr = 0});
  const training::History history =
      training::fit(net, still, data::DataLoader(rows, {.batch_size = 32}), {.epochs = 2, .progress = false});
  const double loss = nn::cross_entropy(net(rows.inputs), rows.labels).item(), right = training::accuracy(net, rows);
  for (const training::Epoch& e : history.epochs) {
    BOOST_TEST(e.loss == loss, boost::test_tools::tolerance(1e-5));
    BOOST_TEST(e.accuracy == right, boost::test_tools::tolerance(1e-9));
  }
  BOOST_TEST(right == mean(cast(argmax(net(rows.inputs), 1) == rows.labels, f64)).item(),
             boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(idx_files_that_are_something_else) {
  const std::string good{"\0\0\x08\1\0\0\0\2ab", 10};
  write("good", good);
  BOOST_TEST(data::idx_integers("good").to_vector<Size>() == (std::vector<Size>{'a', 'b'}),
             boost::test_tools::per_element());
  const auto with = [&](std::size_t at, char c) {
    std::string bad = good;
    bad[at] = c;
    return bad;
  };
  const std::pair<std::string, const char*> rows[] = {
      {with(0, 1), "is not an IDX file"}, {with(1, 1), "is not an IDX file"}, {with(2, 0x0d), "type 0x0d"},
      {with(3, 0), "has no axes"},        {with(3, 3), "cut short"},          {with(7, 3), "cut short: 2 of 3"},
      {with(7, 1), "goes on after"}};
  for (const auto& [bytes, message] : rows) {
    write("bad", bytes);
    BOOST_CHECK_EXCEPTION(data::idx_integers("bad"), Error, says(message));
  }
  std::string long_one{"\0\0\x08\1\0\0\x40\0", 8};
  for (int i = 0; i < 0x4000; ++i) long_one += static_cast<char>(i * i >> 3);
  write_gz("whole.gz", long_one);
  std::ifstream in("whole.gz", std::ios::binary);
  const std::string zipped(std::istreambuf_iterator<char>(in), {});
  BOOST_TEST(data::idx_integers("whole.gz").numel() == 0x4000);
  for (const std::size_t at :
       {zipped.size() / 2, zipped.size() - 8, zipped.size() - 1}) {  // its numbers, its check sum, its length
    std::string bad = zipped;
    bad[at] = static_cast<char>(~bad[at]);
    write("bad.gz", bad);
    BOOST_CHECK_EXCEPTION(data::idx_integers("bad.gz"), Error, says("corrupt"));
    write("bad.gz", zipped.substr(0, at));
    BOOST_CHECK_EXCEPTION(data::idx_integers("bad.gz"), Error, says("bad.gz"));
  }
}
