// Data that users have: CSV files, splits, standardisation, batches as structs.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>

#include <xgrad/xgrad.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using data::parse_csv;
using Strings = std::vector<std::string>;

namespace {

std::vector<Strings> cells_of(const data::Table& t) {
  std::vector<Strings> all;
  for (Size row = 0; row < t.rows(); ++row) {
    all.emplace_back();
    for (const std::string& name : t.names()) all.back().emplace_back(t.text(row, name));
  }
  return all;
}

// Row i of n: inputs {i, 10 i}, labels of these classes in turn.
data::Dataset numbered(Size n, const std::vector<Size>& classes) {
  std::vector<double> inputs;
  std::vector<Size> labels;
  for (Size i = 0; i < n; ++i) {
    inputs.push_back(static_cast<double>(i));
    inputs.push_back(10 * static_cast<double>(i));
    labels.push_back(classes[static_cast<std::size_t>(i) % classes.size()]);
  }
  return {tensor(inputs, {n, 2}), tensor(labels)};
}
std::vector<Size> first_column(const data::Dataset& d) { return cast(select(d.inputs, 1, 0), i64).to_vector<Size>(); }

}  // namespace

BOOST_AUTO_TEST_CASE(cells) {
  using Rows = std::vector<Strings>;
  struct Case {
    const char* text;
    data::CsvOptions options;
    Strings names;
    Rows cells;
  };
  const Case cases[] = {
      {"a,b\n1,2\n3,4\n", {}, {"a", "b"}, {{"1", "2"}, {"3", "4"}}},
      {"a,b\r\n1,2\r\n3,4", {}, {"a", "b"}, {{"1", "2"}, {"3", "4"}}},
      {"\xEF\xBB\xBF"
       "a,b\n1,2",
       {},
       {"a", "b"},
       {{"1", "2"}}},
      {"\n  \na,b\n\n1,2\n\n\n", {}, {"a", "b"}, {{"1", "2"}}},
      {"a , b\n 1 ,\t2 \n", {}, {"a", "b"}, {{"1", "2"}}},
      {"a,b\n 1 ,2 \n", {.trim = false}, {"a", "b"}, {{" 1 ", "2 "}}},
      {"a,b\n\"x, y\",\"say \"\"hi\"\"\"\n", {}, {"a", "b"}, {{"x, y", "say \"hi\""}}},
      {"a,b\n\"two\nlines\", \"\" \n,\n", {}, {"a", "b"}, {{"two\nlines", ""}, {"", ""}}},
      {"1,2\n3,4\n", {.header = false}, {"0", "1"}, {{"1", "2"}, {"3", "4"}}},
      {"1,2\n", {.header = false, .names = {"x", "y"}}, {"x", "y"}, {{"1", "2"}}},
      {"a,b\n1,2\n", {.names = {"x", "y"}}, {"x", "y"}, {{"1", "2"}}},
      {"a;b\n1,5;'2;3'\n", {.delimiter = ';', .quote = '\''}, {"a", "b"}, {{"1,5", "2;3"}}},
      {"a\tb\n\t2\n", {.delimiter = '\t'}, {"a", "b"}, {{"", "2"}}},
      {"  1.5   2 \n 3\t4\n", {.delimiter = ' ', .header = false}, {"0", "1"}, {{"1.5", "2"}, {"3", "4"}}},
      {" \"a b\" 2\n", {.delimiter = ' ', .header = false}, {"0", "1"}, {{"a b", "2"}}},
      {"a,b\n", {}, {"a", "b"}, {}},
      {"a,b\r1,2\r3,4\r", {}, {"a", "b"}, {{"1", "2"}, {"3", "4"}}},
      {"a,b\r\n\r\r\n1,2\r\"x\ry\",4", {}, {"a", "b"}, {{"1", "2"}, {"x\ry", "4"}}},
      {"", {}, {}, {}},
  };
  for (const Case& c : cases) {
    const data::Table t = parse_csv(c.text, c.options);
    BOOST_TEST((t.names() == c.names), c.text);
    BOOST_TEST((cells_of(t) == c.cells), c.text);
    BOOST_TEST(t.rows() == static_cast<Size>(c.cells.size()));
  }
}

BOOST_AUTO_TEST_CASE(numbers_and_categories) {
  const data::Table t = parse_csv("size,kind,price\n1.5,b,10\n-2e3,a,?\n+4,?,0.25\n , c ,NA\n");
  const Tensor x = t.numbers({"price", "size"}, f64);
  BOOST_TEST((x.shape() == Shape{4, 2} && x.dtype() == f64));
  const std::vector<double> v = x.to_vector<double>();
  BOOST_TEST((v[0] == 10 && v[1] == 1.5 && std::isnan(v[2]) && v[3] == -2000 && v[4] == 0.25 && v[5] == 4 &&
              std::isnan(v[6]) && std::isnan(v[7])));
  BOOST_TEST((t.numbers({"size"}).dtype() == f32));
  const data::Table::Categories kinds = t.categories("kind");
  BOOST_TEST((kinds.names == Strings{"a", "b", "c"}));
  BOOST_TEST((kinds.codes.to_vector<Size>() == std::vector<Size>{1, 0, -1, 2}));
  BOOST_TEST((kinds.one_hot().to_vector<double>() == std::vector<double>{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
  BOOST_TEST((t.categories("kind", {"c", "b", "a"}).codes.to_vector<Size>() == std::vector<Size>{1, 2, -1, 0}));
  BOOST_TEST((t.except({"kind"}) == Strings{"size", "price"}));
  BOOST_TEST(t.complete().rows() == 1);
  BOOST_TEST((cells_of(t.rows_of(tensor({3, 0}))) == std::vector<Strings>{{"", "c", "NA"}, {"1.5", "b", "10"}}));
  BOOST_TEST((t.has("kind") && !t.has("sort") && t.is_missing(2, "kind") && !t.is_missing(0, "kind")));
  BOOST_TEST((parse_csv("a\n").numbers({"a"}).shape() == Shape{0, 1}));
}

// Of other rows than those that the names are of.
BOOST_AUTO_TEST_CASE(categories_that_are_unknown) {
  const data::Table t = parse_csv("city\nRome\n?\nOslo\nParis\n");
  const Strings names{"Oslo", "Rome"};
  const auto codes = [&](const Strings& known, data::CategoryOptions options) {
    return t.categories("city", known, options).codes.to_vector<Size>();
  };
  BOOST_TEST((codes(names, {.unknown = -1}) == std::vector<Size>{1, -1, 0, -1}));
  BOOST_TEST((codes(names, {.unknown = 0}) == std::vector<Size>{1, -1, 0, 0}));
  BOOST_TEST((codes(names, {.unknown = 2}) == std::vector<Size>{1, -1, 0, 2}));
  BOOST_TEST((t.categories("city", names, {.unknown = -1}).names == names));
  BOOST_TEST((t.categories("city", {"Oslo", "Rome"}, {.unknown = -1}).one_hot().to_vector<double>() ==
              std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0}));
  CHECK_ERROR(codes(names, {}), "got 'Paris'; categories(column, names, {.unknown = -1}) takes others as missing");
  CHECK_ERROR(codes(names, {.unknown = -2}), "[csv] expected a code of what is unknown in -1 ... 2, got -2");
  CHECK_ERROR(codes(names, {.unknown = 3}), "-1 ... 2, got 3");

  // of a column that is all missing there are no names
  const data::Table::Categories none = parse_csv("city\n?\n?\n").categories("city");
  BOOST_TEST((none.names.empty() && none.one_hot().shape() == Shape{2, 0}));
  CHECK_ERROR(t.categories("city", none.names), "text:2: column 1 (city): expected one of the names that are given");
  const data::Table::Categories unknown = t.categories("city", none.names, {.unknown = -1});
  BOOST_TEST((unknown.codes.to_vector<Size>() == std::vector<Size>{-1, -1, -1, -1} && unknown.names.empty()));
}

BOOST_AUTO_TEST_CASE(decimal_commas) {
  const data::Table t =
      parse_csv("a;b\n1,5;-2e-1\n+0,25;1,0e999\n1.234,5;x\n ,5;?\n3;0,001e-400\n", {.delimiter = ';', .decimal = ','});
  BOOST_TEST(
      (t.rows_of(tensor({0, 1, 3, 4})).numbers({"a"}).to_vector<double>() == std::vector<double>{1.5, 0.25, 0.5, 3}));
  BOOST_TEST((t.rows_of(tensor({0, 4})).numbers({"b"}, f64).to_vector<double>() == std::vector<double>{-0.2, 0}));
  CHECK_ERROR(
      t.numbers({"a"}),
      "[csv] text:4: column 1 (a): expected a number, got '1.234,5'; CsvOptions.decimal is ','; leave out the points");
  CHECK_ERROR(t.numbers({"b"}), "text:3: column 2 (b): expected a number in the range of f64, got '1,0e999'");
  CHECK_ERROR(t.rows_of(tensor({2})).numbers({"b"}), "got 'x'; list it in CsvOptions.missing");
  CHECK_ERROR(parse_csv("a;b\n1,5;2\n", {.delimiter = ';'}).numbers({"a"}),
              "text:2: column 1 (a): expected a number, got '1,5'; CsvOptions.decimal = ',' reads decimal commas");
  CHECK_ERROR(parse_csv("a\n1\n", {.decimal = ','}),
              "[csv] expected a decimal that is neither the delimiter nor the quote, got ',' as both");
  CHECK_ERROR(parse_csv("a\n1\n", {.delimiter = ';', .quote = ',', .decimal = ','}),
              "neither the delimiter nor the quote");
  CHECK_ERROR(parse_csv("a\n1\n", {.decimal = ';'}), "[csv] expected a decimal '.' or ',', got ';'");
}

// nan is missing as the options spell it; other spellings are no numbers.
BOOST_AUTO_TEST_CASE(spellings_of_nan) {
  BOOST_TEST(parse_csv("a\nnan\nNaN\n5\n").complete().rows() == 1);
  for (const char* cell : {"NAN", "-nan", "Nan", "nan(1)"})
    CHECK_ERROR(parse_csv(std::string("a\n") + cell + "\n").numbers({"a"}), "expected a number");
}

// What lies between 0 and the least number is 0.
BOOST_AUTO_TEST_CASE(numbers_too_small) {
  const data::Table t = parse_csv("x\n1e-999\n-1e-999\n0.1e-400\n1000e-500\n1e-99999999999999999999\n0." +
                                  std::string(400, '0') + "1\n" + std::string(400, '1') + "e-800\n5e-324\n");
  const std::vector<double> v = t.numbers({"x"}, f64).to_vector<double>();
  for (std::size_t i = 0; i < 7; ++i) BOOST_TEST((v[i] == 0 && std::signbit(v[i]) == (i == 1)), i);
  BOOST_TEST(v[7] == 5e-324);
  for (const std::string& great : std::vector<std::string>{"1e999", "-1e+999", "0.001e400", "1e99999999999999999999",
                                                           std::string(400, '1') + ".5"})
    CHECK_ERROR(parse_csv("x\n" + great).numbers({"x"}), "expected a number in the range of f64");
}

// Line, column, reason.
BOOST_AUTO_TEST_CASE(malformed_tables) {
  CHECK_ERROR(parse_csv("a,b\n1,2\n3\n"), "[csv] text:3: column 2 (b): expected 2 cells, got 1");
  CHECK_ERROR(parse_csv("a,b\n1,2,3\n"), "[csv] text:2: column 3: expected 2 cells, got 3");
  CHECK_ERROR(parse_csv("a,b\n1,\"2\n3,4\n"), "[csv] text:2: column 2 (b): the quote is not closed");
  CHECK_ERROR(parse_csv("a,b\n1,\"2\"x\n"), "[csv] text:2: column 2 (b): something follows the closing quote");
  CHECK_ERROR(parse_csv("a,b\n\"x\ny\",1\n1,5\"10\n"), "[csv] text:4: column 2 (b): a quote stands inside of a cell");
  CHECK_ERROR(parse_csv("a,b\r\"x\ry\",1\r3\r"), "[csv] text:4: column 2 (b): expected 2 cells, got 1");
  CHECK_ERROR(parse_csv("a,b,a\n"), "[csv] text:1: column 3 (a): the name a is there twice");
  CHECK_ERROR(parse_csv(",,a\n"),
              "[csv] text:1: column 2: has no name, as one before it; name them in the file, or by {.names = {...}}");
  BOOST_TEST((parse_csv(",a\n1,2\n").names() == std::vector<std::string>{"", "a"}));  // an index, as pandas writes it
  CHECK_ERROR(parse_csv("a,b\n", {.names = {"x"}}), "expected 1 columns, as names are given, got 2");
  CHECK_ERROR(parse_csv("a,b\n", {.delimiter = '"'}), "[csv] expected a delimiter that is no quote");
  const data::Table t = parse_csv("size,kind\n\n1.5,a\n\"x\",b\n1e999,c\n12abc,c\n");
  CHECK_ERROR(t.numbers({"size"}),
              "[csv] text:4: column 1 (size): expected a number, got 'x'; list it in CsvOptions.missing");
  CHECK_ERROR(t.rows_of(tensor({2})).numbers({"size"}),
              "[csv] text:5: column 1 (size): expected a number in the range of f64, got '1e999'");
  CHECK_ERROR(t.rows_of(tensor({3})).numbers({"size"}), "got '12abc'");
  CHECK_ERROR(parse_csv("").numbers({"size"}),
              "[csv] text has no column size: it has no rows, and no names of columns");
  CHECK_ERROR(t.numbers({"sizes"}), "[csv] text has no column sizes; there are size, kind");
  CHECK_ERROR(t.numbers({"size"}, i64), "[csv] expected the dtype f32 or f64");
  CHECK_ERROR(
      parse_csv("x\n1\n-1e39\n").numbers({"x"}),
      "[csv] text:3: column 1 (x): expected a number in the range of f32 (numbers(columns, f64) takes others), got '-1e39'");
  BOOST_TEST(parse_csv("x\n1e39\ninf\n").numbers({"x"}, f64)[0].item() == 1e39);
  BOOST_TEST(std::isinf(parse_csv("x\ninf\n").numbers({"x"}).item()));
  CHECK_ERROR(t.categories("kind", {"a", "b", "c", "b"}), "[csv] expected names that differ, got \"b\" twice");
  CHECK_ERROR(t.categories("kind", {"a", "b"}),
              "[csv] text:5: column 2 (kind): expected one of the names that are given, got 'c'");
  CHECK_ERROR(t.except({"nobody"}), "has no column nobody");
  CHECK_ERROR(t.text(4, "kind"), "[csv] expected a row below 4, got 4");
  CHECK_ERROR(t.rows_of(tensor({-1})), "[csv] expected a row below 4, got -1");
  CHECK_ERROR(t.rows_of(ones({2})), "[csv] expected the rows as i64");
  CHECK_ERROR(data::read_csv("no_such_file.csv"), "[csv] no_such_file.csv: cannot be opened");
  CHECK_ERROR(data::read_csv("/"), "[csv] /: is no file");
  std::ofstream("three.csv") << "a,b\n1,2\n1\n";
  CHECK_ERROR(data::read_csv("three.csv"), "[csv] three.csv:3: column 2 (b): expected 2 cells, got 1");
  std::ofstream("good.csv") << "a,b\n1,2\n";
  BOOST_TEST(data::read_csv("good.csv").numbers({"b"}).item() == 2);
}

BOOST_AUTO_TEST_CASE(standardised_by_the_training_part) {
  const double none = std::nan("");
  const Tensor train = tensor({{1.0, 5.0, none, 7.0}, {3.0, 5.0, none, none}, {8.0, 5.0, none, 9.0}});
  const data::Standardiser s = data::standardiser(train);
  BOOST_TEST((s.mean.to_vector<double>() == std::vector<double>{4, 5, 0, 8}));
  const std::vector<double> d = s.deviation.to_vector<double>();
  BOOST_TEST(std::abs(d[0] - std::sqrt(26.0 / 3)) < 1e-14);
  BOOST_TEST((d[1] == 1 && d[2] == 1 && d[3] == 1));
  const Tensor other = tensor({{4.0, 6.0, 2.0, none}});
  BOOST_TEST((s(other).to_vector<double>() == std::vector<double>{0, 1, 2, 0}));
  BOOST_TEST(allclose(s.inverse(s(tensor({{2.0, 6.0, 2.0, 7.5}}))), tensor({{2.0, 6.0, 2.0, 7.5}})));
  BOOST_TEST((s(cast(other, f32)).dtype() == f32));
  const Tensor rounding = data::standardiser(full({1000, 1}, 0.1))(full({2, 1}, 0.1));
  BOOST_TEST(amax(abs(rounding)).item() < 1e-6);
  CHECK_ERROR(s(ones({3})), "[standardise] expected floats of 4 features");
  CHECK_ERROR(data::standardiser(ones({3})), "[standardiser] expected floats [rows, features]");
  CHECK_ERROR(data::Standardiser{}(ones({3})), "[standardise] this Standardiser has no numbers");
  for (const double wrong : {HUGE_VAL, -HUGE_VAL, 1e200})
    CHECK_ERROR(data::standardiser(tensor({{1.0, 2.0}, {2.0, wrong}})),
                "[standardiser] expected finite numbers, got some in feature 1 that are infinite");
}

BOOST_AUTO_TEST_CASE(random_and_stratified_splits) {
  const data::Dataset whole = numbered(103, {0, 0, 0, 1, 1, 7});
  for (const bool stratified : {false, true}) {
    const data::Split split = data::split_random(whole, {.train = 0.7, .stratified = stratified, .seed = 5});
    const std::vector<Size> train = first_column(split.train), test = first_column(split.test);
    BOOST_TEST(train.size() == 72u);  // round(72.1)
    std::set<Size> all(train.begin(), train.end());
    all.insert(test.begin(), test.end());
    BOOST_TEST(all.size() == 103u);
    BOOST_TEST(!std::is_sorted(train.begin(), train.end()));
    BOOST_TEST(
        (first_column(data::split_random(whole, {.train = 0.7, .stratified = stratified, .seed = 5}).train) == train));
    BOOST_TEST(
        (first_column(data::split_random(whole, {.train = 0.7, .stratified = stratified, .seed = 6}).train) != train));
    for (const data::Dataset& part : {split.train, split.test})  // labels go with their rows
      for (Size i = 0; i < part.labels.numel(); ++i) {
        const Size row = cast(part.inputs[i][0], i64).to_vector<Size>()[0];
        BOOST_TEST(part.labels[i].item() == whole.labels[row].item());
      }
    if (stratified)
      for (const Size c : {0, 1, 7}) {
        const double n = sum(whole.labels == c).item(), got = sum(split.train.labels == c).item();
        BOOST_TEST(std::abs(got - 0.7 * n) < 1, c << ": " << got << " of " << n);
      }
  }
  BOOST_TEST(first_column(data::split_random(whole, {.train = 1}).test).empty());
  CHECK_ERROR(data::split_random(whole, {.train = 1.5}), "[split_random] expected a part of the rows between 0 and 1");
  CHECK_ERROR(data::split_random({whole.inputs, whole.inputs}, {.stratified = true}),
              "[split_random] expected i64 labels [n] to stratify by, got f64 (103, 2); give classes as i64 [n]");
  CHECK_ERROR(data::split_random({whole.inputs, ones({5})}), "[split_random] expected a label for each input");
}

// Of several inputs each row stays together, and the rows are those of a Dataset.
BOOST_AUTO_TEST_CASE(parts_of_many_tensors) {
  const data::Dataset whole = numbered(60, {0, 1, 1});
  const Tensors many{whole.inputs, arange(60) * 3, whole.labels};
  for (const bool stratified : {false, true}) {
    const data::Parts parts = data::split_random(many, {.train = 0.7, .stratified = stratified, .seed = 5});
    const data::Split split = data::split_random(whole, {.train = 0.7, .stratified = stratified, .seed = 5});
    BOOST_REQUIRE_EQUAL(parts.train.size(), 3u);
    BOOST_TEST(allclose(parts.train[0], split.train.inputs, 0, 0));
    BOOST_TEST(allclose(parts.test[2], split.test.labels, 0, 0));
    BOOST_TEST(allclose(select(parts.train[0], 1, 0) * 3, cast(parts.train[1], f32), 0, 0));
    const std::vector<data::Parts> folds = data::k_fold(many, {.folds = 4, .stratified = stratified, .seed = 2});
    BOOST_REQUIRE_EQUAL(folds.size(), 4u);
    BOOST_TEST(allclose(folds[3].test[0],
                        data::k_fold(whole, {.folds = 4, .stratified = stratified, .seed = 2})[3].test.inputs, 0, 0));
  }
  BOOST_TEST(allclose(data::rows(many, tensor({2, 1}))[1], tensor({6, 3}), 0, 0));
  CHECK_ERROR(data::split_random(Tensors{}), "[split_random] expected one tensor or more");
  CHECK_ERROR(data::k_fold(Tensors{ones({3}), ones({4})}, {.folds = 2}),
              "[k_fold] expected as many rows of each tensor");
  CHECK_ERROR(data::split_random(Tensors{ones({3}), Tensor()}), "[split_random] one of the tensors is empty");
}

BOOST_AUTO_TEST_CASE(folds) {
  const data::Dataset whole = numbered(23, {0, 1, 1});
  for (const bool shuffle : {false, true})
    for (const bool stratified : {false, true}) {
      const std::vector<data::Split> list =
          data::k_fold(whole, {.folds = 5, .shuffle = shuffle, .stratified = stratified, .seed = 1});
      std::vector<Size> seen;
      for (const data::Split& split : list) {
        const std::vector<Size> test = first_column(split.test), train = first_column(split.train);
        BOOST_TEST((test.size() == 4u || test.size() == 5u));
        BOOST_TEST(train.size() + test.size() == 23u);
        for (const Size row : test) BOOST_TEST((std::find(train.begin(), train.end(), row) == train.end()));
        seen.insert(seen.end(), test.begin(), test.end());
        if (stratified)
          for (const Size c : {0, 1})
            BOOST_TEST(std::abs(sum(split.test.labels == c).item() - sum(whole.labels == c).item() / 5) < 1);
      }
      std::sort(seen.begin(), seen.end());
      std::vector<Size> wanted(23);
      std::iota(wanted.begin(), wanted.end(), Size{0});
      BOOST_TEST((seen == wanted));
    }
  const std::vector<data::Split> plain = data::k_fold(whole, {.folds = 5, .shuffle = false});
  BOOST_TEST((first_column(plain[0].test) == std::vector<Size>{0, 1, 2, 3, 4}));  // as scikit-learn's KFold
  BOOST_TEST((first_column(plain[4].test) == std::vector<Size>{19, 20, 21, 22}));
  CHECK_ERROR(data::k_fold(whole, {.folds = 1}), "[k_fold] expected 2 ... 23 folds");
  CHECK_ERROR(data::k_fold(whole, {.folds = 24}), "[k_fold] expected 2 ... 23 folds");
}

BOOST_AUTO_TEST_CASE(friedmans_function) {
  const data::Dataset d = data::friedman({.rows = 2000, .features = 7, .noise = 0, .seed = 3});
  const Tensor x = cast(d.inputs, f64);
  const auto at = [&](Size k) { return select(x, 1, k); };
  const Tensor y = 10 * sin(std::acos(-1.0) * at(0) * at(1)) + 20 * square(at(2) - 0.5) + 10 * at(3) + 5 * at(4);
  BOOST_TEST(allclose(reshape(d.labels, {2000}), y, 1e-6, 1e-6));
  BOOST_TEST(std::abs(stddev(d.labels).item() - 4.9) < 0.2);
  BOOST_TEST(std::abs(stddev(data::friedman({.rows = 2000, .noise = 3, .seed = 3}).labels -
                             data::friedman({.rows = 2000, .noise = 0, .seed = 3}).labels)
                          .item() -
                      3) < 0.15);
  CHECK_ERROR(data::friedman({.features = 4}), "[friedman] expected 5 features or more");
  CHECK_ERROR(data::friedman({.rows = 0}), "[friedman] expected at least 1");
}

BOOST_AUTO_TEST_CASE(batches_as_structs) {
  struct Rating {
    Tensor user, item, stars;
  };
  const Tensor u = arange(10), i = u + 100, s = cast(u, f32) / 2;
  const data::LoaderOf<Rating> batches({u, i, s}, {.batch_size = 4, .shuffle = true, .seed = 1});
  static_assert(decltype(batches)::width == 3);
  BOOST_TEST((batches.size() == 3 && batches.rows() == 10));
  std::set<Size> seen;
  for (const Rating& batch : batches) {
    BOOST_TEST((batch.item.to_vector<Size>() == (batch.user + 100).to_vector<Size>()));
    BOOST_TEST((batch.stars.to_vector<double>() == (cast(batch.user, f64) / 2).to_vector<double>()));
    for (const Size row : batch.user.to_vector<Size>()) seen.insert(row);
  }
  BOOST_TEST(seen.size() == 10u);
  CHECK_ERROR(data::LoaderOf<Rating>({u, i}), "[LoaderOf] expected 3 tensors, one for each field, got 2");
  CHECK_ERROR(data::LoaderOf<Rating>({u, i, ones({3})}), "[DataLoader] expected one number of rows");
}
