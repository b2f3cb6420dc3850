#include "data/digits.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "autodiff/memory.hpp"
#include "data/checks.hpp"
#include "data/random.hpp"

namespace xgrad::data {
namespace {

struct Point {
  float x, y;
};

constexpr float up = -1;  // as an x: the pen is lifted here

// The pen's way through each digit, in a box of 4 x 6 with (0, 0) at the top left.
constexpr Point zero[] = {{2, 0}, {3.4F, .6F}, {4, 2}, {4, 4}, {3.4F, 5.4F}, {2, 6}, {.6F, 5.4F}, {0, 4}, {0, 2}, {.6F, .6F}, {2, 0}};
constexpr Point one[] = {{.8F, 1.4F}, {2.2F, 0}, {2.2F, 6}};
constexpr Point two[] = {{0, 1.5F}, {.7F, .3F}, {2, 0}, {3.4F, .4F}, {3.8F, 1.7F}, {3.2F, 3}, {0, 6}, {4, 6}};
constexpr Point three[] = {{.2F, .4F}, {2, 0}, {3.5F, .5F}, {3.5F, 2.2F}, {1.6F, 2.9F}, {3.5F, 3.5F}, {3.9F, 4.7F}, {3, 5.8F}, {1.5F, 6}, {0, 5.4F}};
constexpr Point four[] = {{3, 6}, {3, 0}, {0, 4}, {4, 4}};
constexpr Point five[] = {{3.7F, 0}, {.5F, 0}, {.3F, 2.7F}, {2, 2.2F}, {3.6F, 2.9F}, {4, 4.2F}, {3.2F, 5.6F}, {1.6F, 6}, {0, 5.4F}};
constexpr Point six[] = {{3.4F, .2F}, {1.4F, 1.2F}, {.2F, 3.2F}, {.2F, 4.8F}, {1.2F, 6}, {2.8F, 6}, {3.8F, 4.8F}, {3.4F, 3.4F}, {2, 2.8F}, {.6F, 3.4F}};
constexpr Point seven[] = {{0, 0}, {4, 0}, {1.5F, 6}};
constexpr Point eight[] = {{2, 2.8F}, {.6F, 2}, {.6F, .7F}, {2, 0}, {3.4F, .7F}, {3.4F, 2}, {2, 2.8F}, {.3F, 3.8F}, {.3F, 5.2F}, {2, 6}, {3.7F, 5.2F}, {3.7F, 3.8F}, {2, 2.8F}};
constexpr Point nine[] = {{3.6F, 2.4F}, {2.4F, 3.2F}, {.8F, 2.9F}, {.2F, 1.6F}, {.8F, .4F}, {2.2F, 0}, {3.4F, .6F}, {3.6F, 2.4F}, {3.2F, 4.6F}, {2, 6}};
constexpr std::span<const Point> strokes[] = {zero, one, two, three, four, five, six, seven, eight, nine};

}  // namespace
}  // namespace xgrad::data
