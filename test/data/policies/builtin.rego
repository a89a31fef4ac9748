# Uses a function that is not compiled into policies.
package spire

result := {"allow": sprintf("%s", [input.caller]) == "x"}
