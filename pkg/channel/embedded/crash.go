package embedded

// crashPoint is called where a crash leaves something to be put in order. Only
// tests set it.
var crashPoint = func(string) {}
