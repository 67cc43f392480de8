#include <cstdio>

int main() {
  return std::puts("flakebisect " FLAKEBISECT_VERSION) < 0 ? 1 : 0;
}
