// Why shapes are refused.
#pragma once

#include "sweep/row.hpp"

namespace sweep {

inline Refusal no_axis(int axis) {
  return {[axis](const Shape& s) { return s.rank() <= axis; }, "there is no such axis"};
}
inline Refusal nothing() {
  return {[](const Shape& s) { return s.numel() == 0; }, "nothing has no mean, and no extreme"};
}
inline Refusal nothing_along(int axis) {
  return {[axis](const Shape& s) { return s[axis < 0 ? axis + s.rank() : axis] == 0; },
          "nothing has no mean, and no extreme"};
}
inline Refusal one_or_none() {
  return {[](const Shape& s) { return s.numel() < 2; }, "one element leaves nothing to divide by"};
}
inline Refusal few(int axis, int other) {
  return {[=](const Shape& s) { return s[axis] * s[other] < 2; }, "one element leaves nothing to divide by"};
}
inline Refusal at_most_one(int axis) {
  return {[axis](const Shape& s) { return s[axis] < 2; }, "one element leaves nothing to divide by"};
}

}  // namespace sweep
