// Shapes, and the cases of a row.
#include <fmt/format.h>

#include <algorithm>

#include "sweep/row.hpp"

namespace sweep {

std::vector<Shape> standard_shapes() {
  return {{}, {0}, {1}, {5}, {3, 4}, {4, 4}, {2, 0, 3}, {2, 1, 3}, {2, 3, 2, 2}, {1531}, {37, 45}, {3, 5, 7, 16}};
}

std::vector<Shapes> broadcast_pairs() {
  return {{{}, {3}},
          {{3}, {}},
          {{3}, {2, 3}},
          {{2, 3}, {3}},
          {{2, 1}, {1, 3}},
          {{1}, {4}},
          {{2, 3, 1, 2}, {3, 1}},
          {{0}, {1}},
          {{2, 0}, {1, 1}},
          {{1}, {}},
          {{1531}, {}},
          {{45}, {37, 45}},
          {{37, 45}, {37, 1}},
          {{4, 1, 20, 6}, {5, 1, 1}}};
}

namespace {

constexpr const char* layout_names[] = {"dense", "permuted", "sliced", "expanded", "uniform", "pending"};

// Is the layout another than dense, at this shape?
bool differs(Layout layout, const Shape& shape) {
  if (layout == Layout::permuted) return shape.rank() > 1 && shape.numel() > 1;
  if (layout == Layout::expanded) return shape.rank() > 1 && shape.numel() > 1 && shape[0] > 1;
  if (layout == Layout::uniform) return shape.numel() > 1;
  return true;
}

}  // namespace

std::string Case::name() const {
  std::string text = row->name;
  for (std::size_t k = 0; k < shapes.size(); ++k)
    text += fmt::format("{}{} {}", k ? ", " : ": ", shapes[k], layout_names[static_cast<int>(layouts[k])]);
  return text;
}

bool Case::large() const {
  return std::any_of(shapes.begin(), shapes.end(), [](const Shape& s) { return s.numel() > 300; });
}

std::vector<Case> cases_of(const Row& row) {
  using L = Layout;
  std::vector<std::vector<L>> all = {{L::dense, L::dense, L::dense},        {L::permuted, L::permuted, L::permuted},
                                     {L::sliced, L::sliced, L::sliced},     {L::pending, L::pending, L::pending},
                                     {L::expanded, L::sliced, L::permuted}, {L::uniform, L::uniform, L::uniform}};
  if (row.domains.size() > 1) {
    all.push_back({L::permuted, L::expanded, L::uniform});
    all.push_back({L::sliced, L::uniform, L::dense});
    all.push_back({L::uniform, L::permuted, L::pending});
  }
  std::vector<Case> cases;
  for (const Shapes& shapes : row.shapes)
    for (const std::vector<L>& layouts : all) {
      Case c{&row, shapes, {}};
      bool repeats = false, new_one = layouts[0] == L::dense;
      if (shapes[0].numel() > 10'000 && layouts[0] != L::dense && layouts[0] != L::pending) continue;  // slow
      for (std::size_t k = 0; k < shapes.size(); ++k) {
        const L layout = differs(layouts[k % 3], shapes[k]) ? layouts[k % 3] : L::dense;
        repeats |= layout == L::uniform || layout == L::expanded;
        new_one |= layout != L::dense;
        c.layouts.push_back(layout);
      }
      if (new_one && !(repeats && row.no_repeats)) cases.push_back(std::move(c));
    }
  return cases;
}

}  // namespace sweep
