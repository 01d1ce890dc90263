// The faults of programs in C++: their functions have templates, parameters and namespaces in their names.

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace store {

template <class Value>
class Table {
  public:
    __attribute__((noinline)) Value find(const std::string &key) const {
        auto found = rows.find(key);
        if (found == rows.end())
            throw std::out_of_range("no row has the key " + key);
        return found->second;
    }

    __attribute__((noinline)) Value last(std::vector<Value> values) const {
        return values.data()[values.size()];
    }

  private:
    std::map<std::string, Value> rows;
};

} // namespace store

extern "C" void commit_in_cpp(const char *fault, volatile int *result) {
    store::Table<int> table;
    if (std::string(fault) == "throw")
        *result = table.find("nobody");
    else if (std::string(fault) == "last")
        *result = table.last(std::vector<int>(8));
}
