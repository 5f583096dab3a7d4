# The same with the gem jwt (gem install jwt, or Debian's ruby-jwt): ruby sign_ruby_jwt.rb EMAIL [NAME]

require "jwt"
require "securerandom"

email, name = ARGV
claims = { email: email, name: name, iat: Time.now.to_i, jti: SecureRandom.uuid }.compact
puts JWT.encode(claims, ENV.fetch("PORTAL_SECRET"), "HS256")
