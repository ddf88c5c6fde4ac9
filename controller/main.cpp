// The program: hands the command line over and turns what comes back into an exit code.
#include <cstdio>

int main() {
  std::puts("verdigris " VERDIGRIS_VERSION);
  return 0;
}
