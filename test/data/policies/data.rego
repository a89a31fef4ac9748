# Answers whatever its data says, so that tests can have any result; or whether the input is what the data expects.
package spire

result := data.result

result := {
	"allow": input == data.expected,
	"allow_if_local": false,
	"allow_if_admin": false,
	"allow_if_agent": false,
	"allow_if_downstream": false,
} if {
	data.expected
}
