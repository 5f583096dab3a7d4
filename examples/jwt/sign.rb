# Makes the token that logs an agent in: ruby sign.rb EMAIL [NAME]
# With Ruby alone; sign_ruby_jwt.rb does the same with the gem jwt.

require "json"
require "openssl"
require "securerandom"

secret = ENV.fetch("PORTAL_SECRET", "")
email, name = ARGV
abort "usage: PORTAL_SECRET=(at least 32 bytes) ruby sign.rb EMAIL [NAME]" if secret.bytesize < 32 || email.nil?

part = ->(bytes) { [bytes].pack("m0").tr("+/", "-_").delete("=") }
claims = { email: email, name: name, iat: Time.now.to_i, jti: SecureRandom.uuid }.compact
input = "#{part.(JSON.generate(alg: "HS256", typ: "JWT"))}.#{part.(JSON.generate(claims))}"
puts "#{input}.#{part.(OpenSSL::HMAC.digest("SHA256", secret, input))}"
