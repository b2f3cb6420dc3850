// Metrics against plain loops and scikit-learn's published numbers; over batches as over all at once.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/training.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using namespace xgrad::nn::metrics;

namespace {

using Rows = std::vector<std::vector<double>>;

Rows rows_of(const Tensor& x) {
  const std::vector<double> all = x.to_vector<double>();
  Rows rows;
  const auto width = static_cast<std::size_t>(x.size(-1));
  for (std::size_t i = 0; i < all.size(); i += width)
    rows.emplace_back(all.begin() + static_cast<long>(i), all.begin() + static_cast<long>(i + width));
  return rows;
}

// The metric of all rows, and of the same in batches of 7, and after a reset.
template <class M>
double over_batches(M metric, const Tensor& outputs, const Tensor& targets) {
  M whole = metric;
  whole.update(outputs, targets);
  for (Size from = 0; from < outputs.size(0); from += 7) {
    const Size to = std::min(from + 7, outputs.size(0));
    metric.update(slice(outputs, 0, from, to), slice(targets, 0, from, to));
  }
  BOOST_TEST(std::abs(metric.value() - whole.value()) < 1e-12);
  const double value = metric.value();
  metric.reset();
  BOOST_TEST(std::isnan(metric.value()));
  metric.update(outputs, targets);
  BOOST_TEST(std::abs(metric.value() - value) < 1e-12);
  return value;
}

Tensor scores_for(const std::vector<Size>& predicted, Size classes) { return one_hot(tensor(predicted), classes); }

}  // namespace

BOOST_AUTO_TEST_CASE(accuracies) {
  manual_seed(1);
  const Tensor x = randn({53, 5}, f64), t = randint(0, 5, {53}), some = where(rand({53}) < 0.2, -100, t);
  const Rows scores = rows_of(x);
  const std::vector<Size> labels = some.to_vector<Size>();
  for (Size k = 1; k <= 5; ++k) {
    double right = 0, counted = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (labels[i] == -100) continue;
      ++counted;
      const double own = scores[i][static_cast<std::size_t>(labels[i])];
      right += std::count_if(scores[i].begin(), scores[i].end(), [&](double s) { return s > own; }) < k;
    }
    BOOST_TEST(over_batches(Accuracy{.top_k = k}, x, some) == right / counted);
  }
  BOOST_TEST(over_batches(Accuracy{.ignore_index = 2}, x, t) ==
             over_batches(Accuracy{.ignore_index = -1}, x, where(t == 2, -1, t)));
  const Tensor column = randn({31}), yes = cast(rand({31}) < 0.4, f32);
  const std::vector<double> c = column.to_vector<double>(), y = yes.to_vector<double>();
  for (const double threshold : {0.0, 0.3}) {
    double right = 0;
    for (std::size_t i = 0; i < c.size(); ++i) right += (c[i] > threshold) == (y[i] == 1);
    BOOST_TEST(over_batches(Accuracy{.threshold = threshold}, column, yes) == right / 31);
    BOOST_TEST(over_batches(Accuracy{.threshold = threshold}, reshape(column, {31, 1}), cast(yes, i64)) == right / 31);
  }
  // labels that are left out of one column
  const Tensor kept = tensor({0, 2, 3, 30}),
               gaps = full({31}, -100) + scatter_add(cast(tensor({100, 101, 100, 101}), i64), 0, kept, 31);
  const Tensor few = index_select(column, 0, kept), labels_of_few = tensor({0, 1, 0, 1});
  BOOST_TEST(over_batches(Accuracy{}, column, gaps) == over_batches(Accuracy{}, few, labels_of_few));
  BOOST_TEST(over_batches(Accuracy{}, reshape(column, {31, 1}), cast(gaps, f32)) ==
             over_batches(Accuracy{}, few, labels_of_few));
  BOOST_TEST(over_batches(Accuracy{.ignore_index = 7}, column, where(gaps < 0, 7, gaps)) ==
             over_batches(Accuracy{}, few, labels_of_few));
  BOOST_TEST(over_batches(F1{Average::binary}, column, gaps) == over_batches(F1{Average::binary}, few, labels_of_few));
  BOOST_TEST(over_batches(Recall{.average = Average::macro, .seen = {.ignore_index = 7}}, column,
                          where(gaps < 0, 7, gaps)) == over_batches(Recall{}, few, labels_of_few));
  const auto same = [](const Tensor& v) { return v; };
  BOOST_TEST(training::accuracy(same, {column, gaps}) == training::accuracy(same, {few, labels_of_few}));
  const Tensor pixels = randn({4, 3, 5, 2}), classes = argmax(pixels, 1);
  BOOST_TEST(over_batches(Accuracy{}, pixels, classes) == 1);
}

// scikit-learn's pages: y_true = [0, 1, 2, 0, 1, 2], y_pred = [0, 2, 1, 0, 0, 1]
BOOST_AUTO_TEST_CASE(as_scikit_learn_documents) {
  const Tensor t = tensor({0, 1, 2, 0, 1, 2}), x = scores_for({0, 2, 1, 0, 0, 1}, 3);
  const double third = 1.0 / 3;
  const auto near = [](double value, double wanted) {
    BOOST_TEST(std::abs(value - wanted) < 1e-15, value << " " << wanted);
  };
  near(over_batches(Precision{Average::macro}, x, t), 2.0 / 9);
  near(over_batches(Precision{Average::micro}, x, t), third);
  near(over_batches(Precision{Average::weighted}, x, t), 2.0 / 9);
  near(over_batches(Recall{Average::macro}, x, t), third);
  near(over_batches(Recall{Average::micro}, x, t), third);
  near(over_batches(F1{Average::macro}, x, t), 4.0 / 15);
  near(over_batches(F1{Average::micro}, x, t), third);
  near(over_batches(F1{Average::weighted}, x, t), 4.0 / 15);
  // confusion_matrix([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
  ConfusionMatrix matrix;
  BOOST_TEST(!matrix.value().defined());
  matrix.update(scores_for({0, 0, 2, 2, 0, 2}, 3), tensor({2, 0, 2, 2, 0, 1}));
  BOOST_TEST(matrix.value().to_vector<Size>() == (std::vector<Size>{2, 0, 0, 0, 0, 1, 1, 0, 2}),
             boost::test_tools::per_element());
  near(over_batches(RocAuc{}, tensor({0.1, 0.4, 0.35, 0.8}), tensor({0, 0, 1, 1})), 0.75);
  near(over_batches(R2{}, tensor({2.5, 0.0, 2.0, 8.0}), tensor({3.0, -0.5, 2.0, 7.0})), 0.9486081370449679);
  near(over_batches(MeanSquaredError{}, tensor({2.5, 0.0, 2.0, 8.0}), tensor({3.0, -0.5, 2.0, 7.0})), 0.375);
  near(over_batches(MeanSquaredError{.root = true}, tensor({2.5, 0.0, 2.0, 8.0}), tensor({3.0, -0.5, 2.0, 7.0})),
       std::sqrt(0.375));
  near(over_batches(MeanAbsoluteError{}, tensor({2.5, 0.0, 2.0, 8.0}), tensor({3.0, -0.5, 2.0, 7.0})), 0.5);
}

// By loops, of random data in which a class is never there and another never taken.
BOOST_AUTO_TEST_CASE(classes_by_loops) {
  manual_seed(2);
  const Size classes = 6;
  std::vector<Size> t = randint(0, 5, {60}).to_vector<Size>(), p = randint(1, 5, {60}).to_vector<Size>();
  for (std::size_t i = 0; i < 30; ++i) p[i] = std::max(t[i], Size{1});
  const Tensor x = scores_for(p, classes), targets = tensor(t);
  for (const Average average : {Average::micro, Average::macro, Average::weighted}) {
    double sums[3] = {}, weights = 0, all[3] = {};
    for (Size c = 0; c < classes; ++c) {
      double right = 0, taken = 0, there = 0;
      for (std::size_t i = 0; i < t.size(); ++i) {
        right += t[i] == c && p[i] == c;
        taken += p[i] == c;
        there += t[i] == c;
      }
      all[0] += right, all[1] += taken, all[2] += there;
      if (taken == 0 && there == 0) continue;
      const double w = average == Average::weighted ? there : 1, precision = taken > 0 ? right / taken : 0,
                   recall = there > 0 ? right / there : 0;
      sums[0] += w * precision;
      sums[1] += w * recall;
      sums[2] += w * (right > 0 ? 2 * precision * recall / (precision + recall) : 0);
      weights += w;
    }
    for (double& s : sums) s /= weights;
    if (average == Average::micro) sums[0] = all[0] / all[1], sums[1] = all[0] / all[2], sums[2] = all[0] / all[1];
    BOOST_TEST(std::abs(over_batches(Precision{average}, x, targets) - sums[0]) < 1e-14);
    BOOST_TEST(std::abs(over_batches(Recall{average}, x, targets) - sums[1]) < 1e-14);
    BOOST_TEST(std::abs(over_batches(F1{average}, x, targets) - sums[2]) < 1e-14);
  }
  // yes and no by one column: of class 1
  const Tensor column = tensor({1.0, 2.0, -1.0, 3.0, -2.0}), yes = tensor({1, 0, 1, 1, 0});
  BOOST_TEST(over_batches(Precision{Average::binary}, column, yes) == 2.0 / 3);
  BOOST_TEST(over_batches(Recall{Average::binary}, column, yes) == 2.0 / 3);
  // of three classes of class 1, too: 2 of 3 that were taken for it, 2 of 4 that are it
  const Tensor taken = one_hot(tensor({1, 1, 1, 0, 2, 2}), 3, f64), are = tensor({1, 1, 0, 1, 1, 2});
  BOOST_TEST(over_batches(Precision{Average::binary}, taken, are) == 2.0 / 3);
  BOOST_TEST(over_batches(Recall{Average::binary}, taken, are) == 2.0 / 4);
  BOOST_TEST(over_batches(F1{Average::binary}, taken, are) == 4.0 / 7);
}

// What is no number is right for no class, whichever it stands for.
BOOST_AUTO_TEST_CASE(accuracy_of_nan) {
  const double nan = std::nan("");
  const Tensor x = tensor({{nan, 1.0, 2.0}, {1.0, nan, 2.0}, {nan, nan, nan}, {1.0, 2.0, 3.0}}),
               column = tensor({nan, nan, 2.0});
  for (const Size c : {0, 1, 2}) {
    const Tensor labels = full({4}, c);
    const double right = c == 2 ? 0.25 : 0;
    BOOST_TEST(over_batches(Accuracy{}, x, labels) == right);
    BOOST_TEST(over_batches(Accuracy{.top_k = 2}, x, labels) == (c > 0 ? 0.25 : 0));
    BOOST_TEST(training::accuracy([](const Tensor& t) { return t; }, data::Dataset{x, labels}) == right);
  }
  BOOST_TEST(over_batches(Accuracy{}, column, tensor({0, 1, 1})) == 1.0 / 3);
  BOOST_TEST(training::accuracy([](const Tensor& t) { return t; }, data::Dataset{column, tensor({0, 1, 1})}) ==
             1.0 / 3);
  BOOST_TEST(
      std::isnan(training::accuracy([](const Tensor& t) { return t; }, data::Dataset{zeros({0, 3}), zeros({0}, i64)})));
  BOOST_TEST(std::isnan(Accuracy{}.value()));
}

// Nor is it wrongly taken for one: it is missed where it belongs.
BOOST_AUTO_TEST_CASE(classes_of_nan) {
  const double nan = std::nan("");
  const Tensor x = tensor({{nan, 1.0, 2.0}, {1.0, nan, 2.0}, {nan, nan, nan}, {1.0, 2.0, 3.0}}), zero = zeros({4}, i64);
  for (const Average average : {Average::micro, Average::macro, Average::weighted}) {
    const Tensor rows = slice(x, 0, 0, 3), labels = slice(zero, 0, 0, 3);
    BOOST_TEST(over_batches(Precision{average}, rows, labels) == 0);
    BOOST_TEST(over_batches(Recall{average}, rows, labels) == 0);
    BOOST_TEST(over_batches(F1{average}, rows, labels) == 0);
  }
  ConfusionMatrix seen;
  seen.update(x, tensor({0, 2, 0, 2}));
  BOOST_TEST(seen.lost == (std::vector<Size>{2, 0, 1}), boost::test_tools::per_element());
  BOOST_TEST((sum(seen.value()).item() == 1 && seen.at(2, 2) == 1));
  BOOST_TEST(precision(seen, Average::micro) == 1);
  BOOST_TEST(recall(seen, Average::micro) == 0.25);
  BOOST_TEST(recall(seen, Average::macro) == 0.25);  // of classes 0 and 2
  BOOST_TEST(f1(seen, Average::weighted) == 2.0 / 3 / 2);
  BOOST_TEST(over_batches(Recall{.average = Average::macro, .seen = {.ignore_index = 0}}, x, tensor({0, 2, 0, 2})) ==
             0.5);
  seen.reset();
  BOOST_TEST(seen.lost.empty());
  const Tensor column = tensor({nan, nan, 2.0, -1.0}), yes = tensor({0, 1, 1, 0});
  BOOST_TEST(over_batches(Precision{Average::binary}, column, yes) == 1);
  BOOST_TEST(over_batches(Recall{Average::binary}, column, yes) == 0.5);
  BOOST_TEST(over_batches(Recall{Average::macro}, reshape(column, {4, 1}), yes) == 0.5);
}

BOOST_AUTO_TEST_CASE(numbers_and_orders_by_loops) {
  manual_seed(3);
  const Tensor y = 1000 + randn({50, 2}, f64), x = y + 0.3 * randn({50, 2}, f64);
  const Rows xs = rows_of(x), ys = rows_of(y);
  double wanted = 0;
  for (const std::size_t k : {0, 1}) {
    double mean = 0, residual = 0, squares = 0;
    for (const auto& row : ys) mean += row[k] / 50;
    for (std::size_t i = 0; i < 50; ++i) {
      residual += (xs[i][k] - ys[i][k]) * (xs[i][k] - ys[i][k]);
      squares += (ys[i][k] - mean) * (ys[i][k] - mean);
    }
    wanted += (1 - residual / squares) / 2;
  }
  BOOST_TEST(std::abs(over_batches(R2{}, x, y) - wanted) < 1e-11);
  R2 constant;
  constant.update(tensor({1.0, 1.0}), tensor({1.0, 1.0}));
  BOOST_TEST(constant.value() == 1);
  constant.reset();
  constant.update(tensor({1.0, 2.0}), tensor({1.0, 1.0}));
  BOOST_TEST(constant.value() == 0);
  R2 columns;  // [n, 1] beside [n]
  columns.update(ones({4, 1}), arange(4));
  BOOST_TEST(std::isfinite(columns.value()));

  const Tensor scores = round(3 * randn({80}, f64)), labels = randint(0, 2, {80});  // with many ties
  const std::vector<double> s = scores.to_vector<double>(), l = labels.to_vector<double>();
  double pairs = 0, won = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j)
      if (l[i] == 1 && l[j] == 0) {
        ++pairs;
        won += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
      }
  BOOST_TEST(std::abs(over_batches(RocAuc{}, scores, labels) - won / pairs) < 1e-14);
  RocAuc one;
  one.update(ones({3}), ones({3}));
  BOOST_TEST(std::isnan(one.value()));

  const Tensor logits = randn({40, 3, 4}), classes = where(rand({40, 4}) < 0.3, -100, randint(0, 3, {40, 4}));
  const double loss = nn::cross_entropy(cast(logits, f64), classes).item();
  BOOST_TEST(std::abs(over_batches(Perplexity{}, logits, classes) - std::exp(loss)) < 1e-9);
  Perplexity even;
  even.update(zeros({10, 7}), zeros({10}, i64));
  BOOST_TEST(std::abs(even.value() - 7) < 1e-12);
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded) {
  const Parameter w = parameter(ones({4, 3}));
  const Tensor x = w * 2;
  const Counters before = counters();
  Accuracy a;
  F1 f;
  Perplexity p;
  for (int i = 0; i < 10; ++i) a.update(x, zeros({4}, i64)), f.update(x, zeros({4}, i64)), p.update(x, zeros({4}, i64));
  BOOST_TEST(counters().taped == before.taped);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Tensor x = ones({4, 3}), t = zeros({4}, i64);
  Accuracy a;
  CHECK_ERROR(a.update(Tensor(), t), "[Accuracy] expected outputs and targets, got an empty tensor");
  CHECK_ERROR(a.update(x, 1), "[Accuracy] expected outputs and targets, got a number");
  CHECK_ERROR(a.update(x, ones({4})), "[Accuracy] expected outputs [n, classes, ...] and i64 classes");
  CHECK_ERROR(a.update(x, zeros({3}, i64)), "[Accuracy] expected outputs [n, classes, ...]");
  CHECK_ERROR(a.update(x, t + 3), "[Accuracy] expected classes 0 ... 2, got 3");
  CHECK_ERROR(a.update(ones({4}), 2 * ones({4})), "[Accuracy] expected labels 0 and 1, got 2");
  CHECK_ERROR(a.update(ones({4}), ones({5})), "[Accuracy] expected ");
  Accuracy top{.top_k = 4};
  CHECK_ERROR(top.update(x, t), "[Accuracy] expected a top_k of 1 ... 3, got 4");
  CHECK_ERROR(Accuracy{.top_k = 2}.update(ones({4}), ones({4})),
              "[Accuracy] expected a top_k of 1 for one column of outputs, got 2");
  CHECK_ERROR(top.update(ones({4, 1}), ones({4})), "[Accuracy] expected a top_k of 1 for one column");
  CHECK_ERROR(a.update(ones({4}), -99 * ones({4})), "[Accuracy] expected labels 0 and 1, got -99");
  BOOST_TEST((a.counted == 0 && top.counted == 0));
  ConfusionMatrix matrix;
  matrix.update(x, t);
  CHECK_ERROR(matrix.update(ones({4, 2}), t), "[ConfusionMatrix] expected 3 classes, as before, got 2");
  for (const auto& [t, p] : {std::pair{3, 0}, {0, 3}, {-1, 0}, {0, -1}})
    CHECK_ERROR(matrix.at(t, p), "[ConfusionMatrix] expected classes 0 ... 2, got ");
  CHECK_ERROR(ConfusionMatrix().at(0, 0), "[ConfusionMatrix] expected an update first");
  matrix.reset();  // which forgets how many there were
  BOOST_TEST(!matrix.value().defined());
  matrix.update(ones({4, 2}), t);
  BOOST_TEST((matrix.value().shape() == Shape{2, 2}));
  RocAuc auc;
  CHECK_ERROR(auc.update(x, t), "[RocAuc] expected one column");
  CHECK_ERROR(auc.update(tensor({0.0, std::nan("")}), tensor({0, 1})), "[RocAuc] expected scores that have an order");
  R2 r2;
  CHECK_ERROR(r2.update(x, t), "[R2] expected outputs and targets of one shape, got (4, 3) and (4,)");
  CHECK_ERROR(r2.update(ones({2, 2, 2}), ones({2, 2, 2})), "[R2] expected outputs [n] or [n, k]");
  MeanSquaredError mse;
  CHECK_ERROR(mse.update(ones({3}), ones({4})), "[MeanSquaredError] expected outputs and targets of one shape");
  Perplexity p;
  CHECK_ERROR(p.update(ones({4}), t), "[Perplexity] expected outputs [n, classes, ...]");
}
