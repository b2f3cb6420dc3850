#include <cstdio>
#include <string>
#include "sweep/row.hpp"
int main(int n, char** a) {
  using namespace sweep;
  int cases = 0, bad = 0;
  for (auto rows : {product_rows()})
    for (const Row& row : rows) {
      if (n > 1 && row.name.find(a[1]) == std::string::npos) continue;
      for (const Case& c : cases_of(row)) {
        ++cases;
        std::string w = check(c);
        if (w.empty()) w = check_batched(c);
        if (!w.empty()) { if (++bad < 12) std::printf("%s: %s\n", c.name().c_str(), w.c_str()); }
      }
    }
  std::printf("%d cases, %d bad\n", cases, bad);
}
