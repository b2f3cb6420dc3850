// Functions whose bits are the same on every machine. The system's own differ in their last bits between processors.
// Private to data/.
#pragma once

namespace xgrad::data {

struct Point {
  double x, y;
};

double same_log(double x);      // of a normal x > 0
Point on_circle(double turns);  // (cos, sin)(2 pi turns), of |turns| < 2^50

}  // namespace xgrad::data
