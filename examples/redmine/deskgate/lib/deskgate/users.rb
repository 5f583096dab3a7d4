# frozen_string_literal: true

module Deskgate
  # Redmine's user with the agent's e-mail address, made on the first visit.
  module Users
    def self.of(claims)
      User.find_by_mail(claims['email']) || create(claims)
    rescue ActiveRecord::RecordNotUnique, ActiveRecord::RecordInvalid
      # Two first requests at once: the other one has made it.
      User.find_by_mail(claims['email'])
    end

    def self.create(claims)
      first, last = claims['name'].to_s.split(' ', 2)
      user = User.new(firstname: (first || claims['email'])[0, 30], lastname: (last || '-')[0, 255],
                      mail: claims['email'], language: Setting.default_language)
      user.login = login(claims['email'])
      user.random_password
      user.activate
      user.save!
      user
    end

    # Redmine takes fewer characters than addresses have.
    def self.login(email)
      plain = email.gsub(/[^a-z0-9_\-@.]/i, '_')
      plain == email && email.length <= 60 ? email : "#{plain[0, 51]}-#{SecureRandom.hex(4)}"
    end

    private_class_method :create, :login
  end
end
