package channel

// crashPoint is called where a process that is killed leaves something to be put
// in order by the next. Only tests set it.
var crashPoint = func(string) {}
